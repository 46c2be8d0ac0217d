"""The YAML of a script that trained a 3D VQ-GAN into an experiment of kind `vqgan`.

Such files have no groups that two of them share, so fields are known by their own name alone,
whatever group they stand in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from ...errors import UserError
from ..reading import numbers
from . import values
from .assembly import Asked, nested
from .conversion import Account, Conversion, validate_conversion
from .leaves import FLAG_RANK, Leaf, flag, leaves_of
from .table import FILE_NAME

KIND: Final = "vqgan"


@dataclass(frozen=True)
class VqganField:
    """Old names and the key that they become."""

    new: str
    """Dotted; `datasets.NAME.` is an entry of config.yaml."""
    old: tuple[str, ...]
    value: Callable[[Any], Any] = values.same
    remark: str = ""


@dataclass(frozen=True)
class VqganLeftOut:
    """Old names that become nothing, and what to do instead."""

    old: tuple[str, ...]
    reason: str


def _factors(value: Any) -> list[int]:
    """One factor per axis; a single number counts for all."""
    found = [values.whole(v) for v in value] if isinstance(value, list) else [values.whole(value)]
    return found * 3 if len(found) == 1 else found


def _loss(value: Any) -> str:
    name = str(value).lower()
    if "hinge" in name:
        return "hinge"
    if name in ("vanilla", "bce", "gan"):
        return "vanilla"
    raise values.NotCarried(f"{value!r} is no loss here; there are hinge and vanilla")


def _window(value: Any) -> list[float]:
    if isinstance(value, list) and len(value) == 2:
        return [float(v) for v in value]
    raise values.NotCarried("expected from and to in HU; set datasets.NAME.hu_window")


VQGAN_FIELDS: tuple[VqganField, ...] = (
    VqganField(FILE_NAME, ("name", "experiment_name"), values.identifier),
    VqganField("seed", ("seed",), values.whole),
    VqganField("gpus", ("gpus", "num_gpus", "devices"), values.gpus),
    VqganField("steps", ("max_steps", "total_steps", "max_iters", "num_steps"), values.whole,
               "of both phases together"),
    VqganField("discriminator_iter_start",
               ("discriminator_iter_start", "disc_start", "disc_iter_start"), values.whole,
               "the length of phase one, in steps of the generator"),
    VqganField("adversarial.image_weight", ("image_gan_weight",)),
    VqganField("adversarial.volume_weight", ("video_gan_weight", "volume_gan_weight")),
    VqganField("adversarial.feature_matching", ("gan_feat_weight", "feat_match_weight")),
    VqganField("adversarial.loss", ("disc_loss_type", "gan_loss_type"), _loss),
    VqganField("adversarial.base_channels", ("disc_channels", "ndf"), values.whole),
    VqganField("adversarial.num_layers", ("disc_layers", "disc_num_layers"), values.whole),
    VqganField("adversarial.learning_rate", ("disc_lr", "lr_d", "discriminator_lr")),
    VqganField("losses.l1", ("l1_weight", "rec_weight", "reconstruction_weight")),
    VqganField("losses.perceptual", ("perceptual_weight", "lpips_weight"), remark=
               "of the model's own encoder, in phase two, unless `losses.vgg16_weights` is set"),
    VqganField("losses.commitment", ("commitment_weight", "commitment_cost")),
    VqganField("model.codebook.num_codes", ("n_codes", "num_codes", "num_embeddings", "n_embed"),
               values.whole),
    VqganField("model.codebook.code_dim", ("embedding_dim", "code_dim", "embed_dim"),
               values.whole),
    VqganField("model.codebook.decay", ("ema_decay",)),
    VqganField("model.downsample", ("downsample", "downsampling"), _factors),
    VqganField("training.batch_size", ("batch_size", "train_batch_size"), values.whole),
    VqganField("training.learning_rate", ("lr", "learning_rate", "base_lr")),
    VqganField("training.patch_size", ("patch_size", "roi_size", "crop_size"), values.side),
    VqganField("training.max_grad_norm", ("gradient_clip_val", "max_grad_norm", "grad_clip"),
               values.gradient_norm),
    VqganField("training.eval_interval", ("val_check_interval", "eval_interval", "eval_every"),
               values.whole, "steps; divides both phases"),
    VqganField("datasets.NAME.manifest", ("manifest", "manifest_path", "csv"), values.text),
    VqganField("datasets.NAME.hu_window", ("hu_window", "hu_range", "clip_range"), _window),
    VqganField("datasets.NAME.max_patients", ("max_patients", "limit_patients"), values.whole,
               "of the train split; held-out patients stay the same"),
    VqganField("datasets.NAME.spacing", ("spacing", "target_spacing", "pixdim")),
)  # fmt: skip

VQGAN_LEFT_OUT: tuple[VqganLeftOut, ...] = (
    VqganLeftOut(("resume_from_checkpoint", "resume", "ckpt_path"),
                 "run the same command again: every job goes on where it was. To go on from a "
                 "finished phase one with the discriminators on, raise steps or change "
                 "adversarial: only phase two is planned"),
    VqganLeftOut(("n_hiddens", "n_res_layers", "num_res_blocks", "channels", "ch_mult"),
                 "model.channels and model.blocks, from full resolution down; [64, 128, 256] and "
                 "[0, 1, 2] are near n_hiddens 64, and many times slower than the default"),
    VqganLeftOut(("restart_thres", "no_random_restart"),
                 "training.codebook.restart_below, a share of the mean code; 0 restarts none"),
    VqganLeftOut(("norm_type", "num_groups", "disc_norm"),
                 "adversarial.norm is that of the discriminators; the generator's norm looks at "
                 "one position at a time"),
    VqganLeftOut(("i3d_feat", "padding_type", "sync_batchnorm"), "there is no such part here"),
    VqganLeftOut(("accumulate_grad_batches",),
                 "training.batch_size is the whole batch: multiply; training.micro_batch_size says "
                 "how many patches are computed at once"),
    VqganLeftOut(("precision", "use_amp", "amp", "fp16", "bf16"),
                 "`precision` in config.yaml, for all experiments"),
    VqganLeftOut(("num_workers", "pin_memory", "root_dir", "data_dir", "default_root_dir"),
                 "datasets are packed once from a manifest; there are no workers"),
)  # fmt: skip

_TELLING = {
    "image_gan_weight", "video_gan_weight", "volume_gan_weight", "gan_feat_weight",
    "discriminator_iter_start", "n_codes", "n_hiddens",
}  # fmt: skip


def is_vqgan(data: dict[str, Any]) -> bool:
    """Whether an old file is of a VQ-GAN."""
    return any(_own_name(leaf) in _TELLING for leaf in leaves_of(data))


def convert_vqgan(
    data: dict[str, Any], flags: dict[str, Any], asked: Asked, source: str
) -> Conversion:
    """Turn an old file's content into an experiment that validates.

    Raises UserError where the file names no manifest and no dataset is asked for, or a value is
    refused.
    """
    leaves = [flag(name, value) for name, value in flags.items()]
    leaves += list(leaves_of(numbers(data)))
    settled: dict[str, Any] = {}
    accounts = [_account(leaf, settled, asked) for leaf in _flags_first(leaves)]
    if asked.dataset is None and "datasets.NAME.manifest" not in settled:
        raise UserError(
            f"{source}: there is no manifest of volumes; write one (docs/volumes.md), and name its "
            "entry of config.yaml with --dataset"
        )
    name = (
        asked.name or settled.pop(FILE_NAME, None) or values.identifier(PurePosixPath(source).stem)
    )
    settled.pop(FILE_NAME, None)
    own = {k.removeprefix("datasets.NAME."): v for k, v in settled.items() if _of_dataset(k)}
    dataset = asked.dataset or values.telling_name(own["manifest"].removesuffix(".csv"))
    keys = {key: value for key, value in settled.items() if not _of_dataset(key)}
    if asked.start_from is not None:
        keys["start_from"] = asked.start_from
    experiment = {"kind": KIND, "dataset": dataset, **nested(keys)}
    datasets = {} if asked.dataset else {dataset: {"kind": "nifti", **own}}
    config: dict[str, dict[str, Any]] = {"datasets": datasets, "autoencoders": {}}
    validate_conversion(name, experiment, config, accounts, source)
    because = "there are names that only VQ-GANs have"
    return Conversion(name, KIND, because, experiment, config, accounts, {})


def _account(leaf: Leaf, settled: dict[str, Any], asked: Asked) -> Account:
    """What becomes of one value; `settled` takes it up."""
    name = _own_name(leaf)
    field = next((f for f in VQGAN_FIELDS if name in f.old), None)
    if field is None:
        row = next((r for r in VQGAN_LEFT_OUT if name in r.old), None)
        reason = row.reason if row else "unknown here; config/README.md lists all keys"
        return Account(leaf, {}, False, reason)
    if leaf.value in (None, [], {}):
        return Account(leaf, {}, False, "empty: the default counts")
    if _of_dataset(field.new) and asked.dataset:
        inside = field.new.removeprefix("datasets.NAME.")
        return Account(
            leaf, {}, False, f"config.yaml has the entry under datasets; compare its {inside}"
        )
    if asked.start_from is not None and field.new.startswith("model."):
        return Account(leaf, {}, False, "the model is that of start_from")
    try:
        value = field.value(leaf.value)
    except values.NotCarried as error:
        return Account(leaf, {}, False, str(error))
    if field.new in settled and settled[field.new] != value:
        return Account(leaf, {}, False, f"another value says {settled[field.new]!r} and counts")
    settled[field.new] = value
    return Account(leaf, {field.new: value}, True, field.remark)


def _flags_first(leaves: list[Leaf]) -> list[Leaf]:
    return sorted(leaves, key=lambda leaf: leaf.rank != FLAG_RANK)


def _own_name(leaf: Leaf) -> str:
    """`model.Image-GAN-weight` is image_gan_weight."""
    return leaf.old.lower().removeprefix("--").replace("-", "_").rpartition(".")[2]


def _of_dataset(key: str) -> bool:
    return key.startswith("datasets.NAME.")
