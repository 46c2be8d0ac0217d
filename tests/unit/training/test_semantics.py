"""Semantic losses: gradients from decoded predictions reach the denoiser and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sparring.errors import UserError
from sparring.models.autoencoder import Codec, build_autoencoder
from sparring.models.perceptual import EncoderFeatures
from sparring.randomness import seeded_initialisation
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.settings.semantic import SemanticLoss
from sparring.training.finetuning import Finetuning, Teacher
from sparring.training.semantics import LayoutRows, Semantics


@pytest.fixture(scope="module")
def codec(tiny):
    settings = AutoencoderSettings(
        dataset="d", epochs=1, input="classes", block_out_channels=(8, 8), norm_num_groups=4
    )
    with seeded_initialisation(0, "autoencoder"):
        model = build_autoencoder(settings, 4, 16)
    return Codec(model, np.array([[60 * n, 0, 255] for n in range(4)], np.uint8), tiny.CPU)


class FakeLayouts:
    """Layouts of 16 x 16 in four classes, each of its own."""

    def read(self, rows):
        ids = [np.random.default_rng(row).integers(4, size=(16, 16)) for row in rows]
        return np.stack(ids).astype(np.uint8)


@pytest.fixture
def teacher(codec):
    def make(**keys):
        settings = SemanticLoss(**{"min_snr": 0.0} | keys)
        features = EncoderFeatures(codec) if settings.perceptual_weight else None
        layouts = FakeLayouts()
        rows = {
            "train": LayoutRows(layouts, np.arange(10)),
            "val": LayoutRows(layouts, 10 + np.arange(6)),
        }
        return Teacher(Semantics(settings, codec, features), rows)

    return make


ONLY = {
    "segmentation": {"segmentation_weight": 1.0, "perceptual_weight": 0.0},
    "perceptual": {"segmentation_weight": 0.0, "perceptual_weight": 1.0},
}


def starved(stage):
    """Parameters without a gradient worth the name; a key's bias changes no softmax."""
    norms = {name: 0.0 if p.grad is None else p.grad.norm().item()
             for name, p in stage.model.named_parameters()}  # fmt: skip
    largest = max(norms.values())
    return [name for name, norm in norms.items()
            if not name.endswith("to_k.bias") and not norm > 1e-5 * largest]  # fmt: skip


@pytest.mark.parametrize("term", ONLY)
def test_each_term_alone_reaches_every_parameter(tiny, teacher, term):
    stage = tiny.finetuning(control=True, teacher=teacher(**ONLY[term]), noise_weight=0.0)
    stage.step(0, 0)
    assert starved(stage) == []


class Detached(Finetuning):
    """The defect of earlier code: what is decoded does not hang on the denoiser."""

    def losses(self, model, prediction, rows):
        return super().losses(model, replace(prediction, x0_pred=prediction.x0.clone()), rows)


@pytest.mark.parametrize("term", ONLY)
def test_decoding_the_true_latents_would_teach_nothing(tiny, teacher, term):
    stage = tiny.finetuning(Detached, control=True, teacher=teacher(**ONLY[term]), noise_weight=0.0)
    with pytest.raises(RuntimeError, match="does not require grad"):
        stage.step(0, 0)


def test_the_autoencoder_stays_as_it_is(tiny, teacher, codec, tmp_path):
    before = {name: t.clone() for name, t in codec.model.state_dict().items()}
    stage = tiny.finetuning(teacher=teacher())
    tiny.run(stage, tmp_path)
    assert tiny.same(codec.model.state_dict(), before)
    assert all(p.grad is None and not p.requires_grad for p in codec.model.parameters())
    optimised = {id(p) for group in stage.optimizer.param_groups for p in group["params"]}
    assert optimised == {id(p) for p in stage.model.parameters()}


def test_a_step_lowers_the_loss_of_its_own_predictions(tiny, teacher):
    """The sign: trained on one batch again and again, the terms fall."""
    stage = tiny.finetuning(
        control=True, teacher=teacher(segmentation_weight=1.0, perceptual_weight=1.0),
        noise_weight=0.0, batch_size=10, learning_rate=3e-4,
    )  # fmt: skip
    first = stage.step(0, 0)
    for _ in range(10):
        last = stage.step(0, 0)
    assert last["segmentation_loss"].value < first["segmentation_loss"].value
    assert last["perceptual_loss"].value < first["perceptual_loss"].value


def gradient(stage):
    stage.step(0, 0)
    return torch.cat([p.grad.flatten() for p in stage.model.parameters()])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_decoding_in_pieces_changes_nothing(tiny, teacher, size):
    whole = gradient(tiny.finetuning(control=True, teacher=teacher(decode_batch_size=100)))
    parts = gradient(tiny.finetuning(control=True, teacher=teacher(decode_batch_size=size)))
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-7)


def test_decoder_activations_are_kept_for_no_more_than_a_piece(tiny, teacher):
    """What autograd holds after the forward pass does not grow with the decoded samples."""

    def kept(batch_size):
        stage = tiny.finetuning(
            control=True, teacher=teacher(decode_batch_size=1), batch_size=batch_size
        )
        semantics, total = stage._teacher.semantics, 0

        def count(tensor):
            nonlocal total
            total += tensor.numel()
            return tensor

        x0 = torch.randn(batch_size, 4, 8, 8, requires_grad=True)
        t = torch.full((batch_size,), 10)
        prediction = stage.process.prediction(x0.detach(), x0.detach(), t, x0)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            semantics.terms(prediction, FakeLayouts().read(range(batch_size)))
        return total

    decoder = 2 * 16 * 16 * 8  # one full-resolution map of the decoder alone, twice
    assert kept(9) - kept(8) < decoder


def test_low_snr_neither_counts_nor_pulls(tiny, teacher):
    semantics = teacher(min_snr=1.0).semantics
    process = tiny.finetuning(control=True).process
    t = torch.tensor([10, 500, 999])
    x = tiny.latents(3, 0)
    output = x.clone().requires_grad_()
    prediction = process.prediction(x, x, t, output)
    counts = (prediction.snr >= 1).tolist()
    assert counts == [True, False, False]
    terms, counted = semantics.terms(prediction, FakeLayouts().read(range(3)))
    assert counted == 1
    sum(terms[n] for n in ("segmentation_loss", "perceptual_loss")).backward()
    assert (output.grad.flatten(1).norm(dim=1) > 0).tolist() == counts


def test_a_batch_of_noise_is_harmless(tiny, teacher):
    """Where no sample counts, the update is the control's."""
    stage = tiny.finetuning(control=True, teacher=teacher(min_snr=1e9))
    control = tiny.finetuning(control=True)
    terms = stage.step(0, 0)
    control.step(0, 0)
    assert terms["segmentation_loss"] == (0, 0)
    assert tiny.same(stage.model.state_dict(), control.model.state_dict())


def test_weights_of_zero_leave_the_control(tiny, teacher):
    off = teacher(segmentation_weight=0.0, perceptual_weight=0.0)
    stage, control = tiny.finetuning(control=True, teacher=off), tiny.finetuning(control=True)
    assert set(stage.step(0, 0)) == {"noise_loss"}
    control.step(0, 0)
    assert tiny.same(stage.model.state_dict(), control.model.state_dict())


def test_accuracy_is_reported_and_never_optimised(tiny, teacher):
    one = tiny.finetuning(control=True, teacher=teacher(perceptual_weight=0.0))
    terms = one.step(0, 0)
    assert 0 <= terms["segmentation_accuracy"].value <= 1


def test_each_latent_is_compared_with_its_own_layout(tiny, teacher):
    """Latent i of a split belongs to layout rows[i], in the order of the batch."""
    made = teacher()
    stage = tiny.finetuning(control=True, teacher=made)
    asked = []
    read = made.layouts["train"].layouts.read
    made.layouts["train"].layouts.read = lambda rows: asked.append(list(rows)) or read(rows)
    stage.step(0, 1)
    assert asked == [stage._rows(0, 1).tolist()]


def test_history_and_validation_name_every_term(tiny, teacher, tmp_path):
    rows = tiny.run(tiny.finetuning(teacher=teacher(), epochs=1), tmp_path).history
    terms = (
        "noise_loss", "segmentation_loss", "segmentation_accuracy", "perceptual_loss",
        "discriminator_loss", "viability_score",
    )  # fmt: skip
    assert set(rows[0]) == {"epoch", "step", "learning_rate", *(f"val_{t}" for t in terms)}
    assert set(rows[1]) - set(rows[0]) == {f"train_{t}" for t in terms}


def test_an_interrupted_run_ends_with_the_same_bytes(tiny, teacher, tmp_path):
    def make():
        return tiny.finetuning(teacher=teacher())

    _, whole = make(), tiny.run(make(), tmp_path / "whole")
    _, cut = tiny.run_interrupted(make, tmp_path / "cut", [1, 2])
    assert tiny.same(cut.best, whole.best)
    assert cut.history == whole.history


def test_no_segmentation_head_is_refused(tiny):
    settings = AutoencoderSettings(
        dataset="d", epochs=1, block_out_channels=(8, 8), norm_num_groups=4
    )
    plain = Codec(build_autoencoder(settings, 0, 16), None, tiny.CPU)
    with pytest.raises(UserError, match=r"semantic\.segmentation_weight.*no segmentation head"):
        Semantics(SemanticLoss(), plain, None)
