"""Refusals of rounds on volumes that cannot work, before any job starts."""

from importlib.util import find_spec
from pathlib import Path

from ..data.volume_facts import patch_count, require_patch, volume_facts
from ..errors import UserError
from ..models.latent_scale import latent_channels
from ..settings.experiment import AdversarialExperiment, PretrainExperiment
from ..settings.volumes import AnyVolumes
from .encodings import VolumeEncoding, given_vqgan, is_layouts_autoencoder, volume_encoding
from .facts import DatasetFacts, LatentShape
from .given_models import given_model
from .loading import Rounds
from .vqgan import downsampling, vqgan_reference

_JUDGED_PATIENTS = 4
"""Two in either fold of the two-sample test."""
_PACKAGES = ("monai", "einops")
"""What the denoiser is made of."""


def require_known_autoencoder(rounds: Rounds, name: str) -> None:
    """Refuse an `autoencoder` that is no configured one, no VQ-GAN and no directory."""
    text = rounds.experiments[name].autoencoder
    if text is None or text in rounds.config.autoencoders or "/" in text:
        return
    if text.partition("@")[0] not in rounds.vqgans:
        raise UserError(
            f"{rounds.file(name)}: autoencoder is {text!r}, but {rounds.source} has only "
            f"{', '.join(sorted(rounds.config.autoencoders)) or 'none'}; for volumes name an "
            "experiment of kind vqgan or a directory of its model"
        )


def check_encoding(rounds: Rounds, name: str) -> None:
    """Refuse an autoencoder of the other kind of data, and what volumes lack."""
    dataset, autoencoder = rounds.data_of(name)
    where, settings = rounds.file(name), rounds.config.datasets[dataset]
    if is_layouts_autoencoder(rounds, name):
        _refuse_patch_size(rounds, name, f"dataset {dataset} has layouts, without patches")
        return
    if not isinstance(settings, AnyVolumes):
        raise UserError(
            f"{where}: autoencoder is {autoencoder!r}, a VQ-GAN of volumes, but dataset {dataset} "
            f"is of kind {settings.kind}, layouts; name a dataset of kind nifti or phantoms, or an "
            f"autoencoder of {rounds.source}"
        )
    _check_packages(where)
    encoding = volume_encoding(rounds, name)
    assert encoding is not None
    _check_source(rounds, name, encoding, settings)
    semantic = getattr(rounds.experiments[name], "semantic", None)
    if semantic is not None:
        raise UserError(
            f"{where}: semantic losses compare decoded layouts, but dataset {dataset} has volumes; "
            "leave semantic out, or make the experiment's kind adversarial"
        )


def check_patients(rounds: Rounds, name: str, experiment: AdversarialExperiment) -> None:
    """Refuse a discriminator's validation that would have no patient of its own, and held-out
    patients that are too few to judge by, or that train too."""
    facts = volume_facts(rounds.volumes(rounds.data_of(name)[0]))
    train, test = ({f.patient_id for f in facts if f.split == s} for s in ("train", "test"))
    dataset = rounds.data_of(name)[0]
    if train & test:
        raise UserError(
            f"{rounds.file(name)}: dataset {dataset} has slabs of patient {min(train & test)} both "
            "in train and in test, so that nothing is held out to judge samples by; split by "
            "patient (split_by: patient)"
        )
    if len(test) < _JUDGED_PATIENTS:
        raise UserError(
            f"{rounds.file(name)}: dataset {dataset} holds out {len(test)} patients, but judges "
            f"that learn from some and are asked of others need {_JUDGED_PATIENTS}; give more of "
            "them to the test split"
        )
    share = experiment.discriminator.val_fraction
    if not 0 < round(share * len(train)) < len(train):
        raise UserError(
            f"{rounds.file(name)}: discriminator.val_fraction is {share:g}, but dataset "
            f"{dataset} trains on {len(train)} patients, whose patches are not "
            "split apart, so that a half would be empty; set another share or add patients"
        )


def volume_latent_shape(rounds: Rounds, name: str, encoding: VolumeEncoding) -> LatentShape:
    """The latents of a patch; refuses one that the VQ-GAN cannot halve evenly."""
    if encoding.experiment is not None:
        factor = downsampling(rounds, encoding.experiment)
        channels: int | None = _experiment_channels(rounds, encoding.experiment)
    else:
        config = given_vqgan(rounds, name, encoding.vqgan)
        factor, channels = tuple(config["downsample"]), latent_channels(config)
    size = encoding.patch_size
    if any(size % f for f in factor):
        step = max(factor)
        raise UserError(
            f"{rounds.file(name)}: patch_size is {size}, not divisible by the downsampling "
            f"{list(factor)} of {encoding.vqgan}; set {max(step, size // step * step)}"
        )
    assert channels is not None
    return LatentShape(channels, tuple(size // f for f in factor))


def patch_facts(rounds: Rounds, encoding: VolumeEncoding) -> DatasetFacts:
    """How many patches each split has; each is its own original."""
    size = encoding.patch_size
    counts = {"train": 0, "val": 0, "test": 0}
    for facts in volume_facts(rounds.volumes(encoding.dataset)):
        counts[facts.split] += patch_count(facts.shape, size)
    train, test = counts["train"], counts["test"]
    return DatasetFacts(size, train, train, test, test, unit="patches")


def _experiment_channels(rounds: Rounds, name: str) -> int:
    """Channels of the latents of a VQ-GAN's experiment: its own, its start's, or a directory's."""
    start = vqgan_reference(rounds, name)
    if start is None:
        book = rounds.vqgan(name).model.codebook
        return book.code_dim if book.quantiser == "ema" else len(book.fsq_levels)
    if isinstance(start, tuple):
        return _experiment_channels(rounds, start[0])
    where = f"{rounds.file(name)}: start_from"
    found = latent_channels(given_model(Path(start), "VQGAN", where))
    assert found is not None
    return found


def _check_packages(where: str) -> None:
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise UserError(
                f"{where}: denoisers of volumes need the package {package}, which is not "
                "installed; run pip install -e '.[volumes]' where Sparring's pyproject.toml lies"
            )


def _check_source(
    rounds: Rounds, name: str, encoding: VolumeEncoding, settings: AnyVolumes
) -> None:
    where = rounds.file(name)
    if encoding.experiment is not None:
        own = rounds.vqgan(encoding.experiment).dataset
        if own != encoding.dataset:
            raise UserError(
                f"{where}: dataset is {encoding.dataset!r}, but {encoding.experiment} encodes its "
                f"own, {own!r}; name that one, or give the directory of its model and patch_size"
            )
        _refuse_patch_size(rounds, name, f"{encoding.experiment}'s training.patch_size says it")
        return
    config = given_vqgan(rounds, name, encoding.vqgan)
    require_patch(settings, encoding.patch_size, f"{where}: patch_size")
    if list(config.get("hu_window") or settings.hu_window) != list(settings.hu_window):
        raise UserError(
            f"{where}: dataset {encoding.dataset} has hu_window {list(settings.hu_window)}, but "
            f"{encoding.vqgan} was trained on {config['hu_window']}; set the dataset's to that"
        )


def _refuse_patch_size(rounds: Rounds, name: str, why: str) -> None:
    experiment = rounds.experiments[name]
    if isinstance(experiment, PretrainExperiment) and experiment.patch_size is not None:
        raise UserError(
            f"{rounds.file(name)}: patch_size is {experiment.patch_size}, but {why}; leave the key "
            "out"
        )
