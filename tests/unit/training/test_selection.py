"""The distance that chooses a round's epoch: what it says, and what it may hang on."""

import pytest
import test_conditional_training as conditional
import test_volume_training as volumes
import torch

from sparring.errors import UserError
from sparring.models.denoiser import build_scheduler
from sparring.settings.parts import FinetuneSettings, NoiseScheduleSettings
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.selection import SampleDistance


def distance(tiny, val=None, model=None, count=16, batch_size=4, seed=0):
    settings = FinetuneSettings(batch_size=batch_size, selection_samples=count, selection_steps=4)
    data = Latents(tiny.latents(4, 1), tiny.latents(20, 2) if val is None else val)
    model = (model or tiny.unet()).eval()
    return SampleDistance(model, tiny.schedule(), data, settings, tiny.CPU, seed)


def samples_of(found):
    """What a distance samples."""
    batches = found._sampler.batches(found._count, 64, found._seed, "selection")
    return torch.cat(list(batches))


def test_samples_like_the_reals_are_near_and_others_far(tiny):
    """Reals that are other samples of the same model; the same reals shifted, or wider."""
    found = distance(tiny, count=48)
    own = distance(tiny, count=48, seed=1)
    reals = samples_of(own)
    near = distance(tiny, reals, count=48)()
    shifted = distance(tiny, reals + 0.5 * reals.std(), count=48)()
    wider = distance(tiny, 1.5 * reals, count=48)()
    assert abs(near) < 0.1 * min(shifted, wider)
    assert found() > 10 * abs(near)  # of an untrained denoiser to noise


def test_it_is_the_same_for_the_same_weights_and_another_for_others(tiny):
    """It begins with the same noise every time, whatever was computed in between."""
    model = tiny.unet()
    found = distance(tiny, model=model)
    first = found()
    torch.randn(3)
    assert found() == first == distance(tiny)()
    with torch.no_grad():
        model.conv_out.bias.add_(0.3)
    assert found() != first


def test_it_does_not_hang_on_the_batch(tiny):
    small, large = distance(tiny, batch_size=1), distance(tiny, batch_size=100)
    small._batch_size = 3
    assert small() == pytest.approx(large(), rel=1e-3)


def test_it_is_a_column_of_every_validation(tiny, tmp_path):
    keys = {"epochs": 3, "eval_interval": 2, "control": True, **tiny.SELECTED}
    found = tiny.run(tiny.finetuning(**keys), tmp_path)
    measured = {row["epoch"]: row["val_kernel"] for row in found.history if "val_kernel" in row}
    assert list(measured) == [0, 2, 3]
    assert found.best_epoch == min((2, 3), key=measured.get)


def test_it_is_of_the_averaged_weights(tiny):
    stage = tiny.finetuning(control=True, **tiny.SELECTED)
    before = stage.validate()["kernel"]
    with torch.no_grad():
        stage.model.conv_out.bias.add_(0.5)
    assert stage.validate()["kernel"] == before
    stage.average.model.load_state_dict(stage.model.state_dict())
    assert stage.validate()["kernel"] != before


def test_arms_and_iterations_are_measured_alike(tiny):
    """The same weights give the same figure: figures of arms and iterations compare."""
    stages = (
        tiny.finetuning(control=True, **tiny.SELECTED),
        tiny.finetuning(rival=tiny.itself(), key=("finetune", 3), **tiny.SELECTED),
    )
    assert len({stage.validate()["kernel"] for stage in stages}) == 1


def test_it_leaves_training_alone(tiny, tmp_path):
    plain = tiny.run(tiny.finetuning(control=True, epochs=1), tmp_path / "plain")
    measured = tiny.run(
        tiny.finetuning(control=True, epochs=1, **tiny.SELECTED), tmp_path / "measured"
    )
    assert tiny.same(plain.best, measured.best)


def test_other_trainings_have_none(tiny):
    assert "kernel" not in tiny.pretraining().validate()
    assert tiny.pretraining().criterion == "val_noise_loss"
    assert tiny.finetuning(selection_samples=0).criterion == "val_noise_loss"


def test_conditions_are_those_of_the_reals(tiny):
    (train, labels), (val, val_labels) = conditional.two_kinds(8, 1), conditional.two_kinds(6, 2)
    settings = FinetuneSettings(**conditional.SMALL | {"selection_samples": 12})
    stage = Finetuning(
        conditional.unet(), build_scheduler(NoiseScheduleSettings()),
        Latents(train, val, labels, val_labels), settings, tiny.CPU, 0, ("finetune", 0),
    )  # fmt: skip
    told = stage._distance._labels()
    assert torch.equal(told.bincount(), 2 * val_labels.bincount())
    assert "kernel" in stage.validate()


def test_volumes_are_measured_too(tiny):
    stage = volumes.finetuning(tiny, control=True, **tiny.SELECTED)
    assert stage.validate()["kernel"] == stage.validate()["kernel"]


def test_a_single_latent_is_no_split_to_compare_with(tiny):
    with pytest.raises(UserError, match=r"has 1 latents.*selection_samples: 0"):
        distance(tiny, tiny.latents(1, 2))
