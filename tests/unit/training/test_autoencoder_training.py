"""Training an autoencoder: its terms, its figures, and what it refuses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sparring.errors import UserError
from sparring.training.autoencoder import measure_reconstruction, psnr, reconstruction_losses


@pytest.mark.parametrize(
    ("error", "decibel"), [(4.0, 0.0), (0.04, 20.0), (4e-4, 40.0), (1.0, 6.0206)]
)
def test_psnr_is_over_the_full_range_of_rgb(error, decibel):
    """The range of [-1, 1] is 2: an error as large as the range has 0 dB."""
    assert psnr(error) == pytest.approx(decibel, abs=1e-4)


def test_psnr_of_perfect_pictures_is_finite():
    assert np.isfinite(psnr(0.0))


@pytest.mark.parametrize("keys", [{}, {"input": "rgb"}, {"segmentation_head": False}],
                         ids=["classes", "rgb", "no head"])  # fmt: skip
def test_training_lowers_the_loss(tiny, autoencoding, tmp_path, keys):
    stage = autoencoding(epochs=15, eval_interval=15, learning_rate=5e-3, **keys)
    rows = tiny.run(stage, tmp_path).history
    assert rows[-1]["val_loss"] < 0.8 * rows[0]["val_loss"]
    assert rows[-1]["val_psnr"] > rows[0]["val_psnr"]
    assert ("val_pixel_accuracy" in rows[-1]) == (keys.get("segmentation_head", True))
    assert ("train_segmentation" in rows[-1]) == (keys.get("segmentation_head", True))


def test_the_rate_warms_up_and_falls_to_zero(tiny, autoencoding, tmp_path):
    rows = tiny.run(autoencoding(epochs=20, eval_interval=20), tmp_path).history[1:]
    rates = [row["learning_rate"] for row in rows]
    # 60 steps, 3 of them warm-up: the first epoch ends within it
    assert rates[0] == pytest.approx(0.75e-3)
    assert rates[1] > 0.98e-3
    assert 0 < rates[-1] < 1e-5
    assert rates[1:] == sorted(rates[1:], reverse=True)


def test_terms_are_plain_l1_and_cross_entropy(autoencoding, layouts):
    """Logits go to the cross-entropy as they are: a softmax before would cap the loss."""
    codec = autoencoding().codec
    ids = layouts.read(layouts.rows("val"))
    out = 30 * torch.randn(5, 3 + 4, 16, 16, generator=torch.Generator().manual_seed(0))
    terms = reconstruction_losses(codec, ids, out)
    torch.testing.assert_close(terms["rgb"], (out[:, :3] - codec.rgb(ids)).abs().mean())
    right = F.log_softmax(out[:, 3:], 1).gather(1, torch.from_numpy(ids).long()[:, None])
    torch.testing.assert_close(terms["segmentation"], -right.mean())
    assert terms["segmentation"] > 4  # softmax twice never exceeds log(4) + 1


def test_figures_of_a_perfect_reconstruction(autoencoding, layouts, monkeypatch):
    """Each figure from a decoder that knows the answer, except for one class that it misses."""
    stage = autoencoding()
    rows = layouts.rows("val")
    ids = torch.from_numpy(layouts.read(rows)).long()
    answer = torch.where(ids == 1, 2, ids)
    decoded = type(stage.codec.decode(torch.zeros(1, 2, 8, 8)))
    rgb = stage.codec.rgb(layouts.read(rows)) + 0.2
    logits = F.one_hot(answer, 4).permute(0, 3, 1, 2).float()
    monkeypatch.setattr(stage.codec, "decode", lambda latents: decoded(rgb, logits))
    figures = measure_reconstruction(stage.codec, layouts, rows, stage.settings)
    assert figures["psnr"] == pytest.approx(20.0, abs=1e-3)
    assert figures["pixel_accuracy"] == pytest.approx((ids != 1).float().mean().item())
    foreground = ids[ids > 0]
    assert figures["foreground_accuracy"] == pytest.approx((foreground != 1).float().mean().item())


def test_posterior_samples_are_new_in_every_epoch(autoencoding):
    """And the same in every run: they are keyed by epoch and row."""
    losses = []
    for epoch in (0, 0, 1):
        stage = autoencoding(batch_size=10)
        losses.append(stage.step(epoch, 0)["rgb"].item())
    assert losses[0] == losses[1] != losses[2]


def test_an_autoencoder_for_fewer_classes_is_refused(autoencoding, layouts):
    """Going on from an autoencoder of another dataset: its head has no channel for a class."""
    stage = autoencoding()
    out = torch.zeros(5, 3 + 2, 16, 16)
    with pytest.raises(UserError) as refusal:
        reconstruction_losses(stage.codec, layouts.read(layouts.rows("val")), out)
    for part in ("autoencoder", "2 classes", "class 3", "start_from"):
        assert part in str(refusal.value)
