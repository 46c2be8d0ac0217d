"""The reference denoiser at its full size: one real step with all four losses."""

import numpy as np
import torch

from sparring.artefacts.layouts import LayoutRow, Layouts, writing_layouts
from sparring.models.autoencoder import Codec, build_autoencoder
from sparring.models.denoiser import build_denoiser, build_scheduler
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.perceptual import EncoderFeatures
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import DenoiserSettings, FinetuneSettings, NoiseScheduleSettings
from sparring.settings.semantic import SemanticLoss
from sparring.training.finetuning import Finetuning, Teacher
from sparring.training.latents import Latents
from sparring.training.opponents import Critic
from sparring.training.semantics import LayoutRows, Semantics

CLASSES = [{"id": n, "name": str(n), "rgb": [25 * n, 0, 0]} for n in range(10)]


def packed(path):
    """Eight layouts of 512 x 512 in ten classes."""
    ids = np.random.default_rng(0).integers(10, size=(8, 16, 16), dtype=np.uint8)
    with writing_layouts(path, CLASSES) as writer:
        for n, layout in enumerate(ids.repeat(32, axis=1).repeat(32, axis=2)):
            writer.append(layout, LayoutRow(str(n), str(n), str(n), "train", False))
    return Layouts(path)


def test_a_step_of_unet64_d4_with_all_four_losses(tiny, tmp_path):
    layouts = packed(tmp_path / "layouts.h5")
    settings = AutoencoderSettings(
        dataset="d", epochs=1, latent_channels=16, block_out_channels=(8, 16, 16, 16, 16)
    )
    codec = Codec(build_autoencoder(settings, 10, 512), layouts.palette, tiny.CPU)
    rows = LayoutRows(layouts, np.arange(8))
    semantic = SemanticLoss(min_snr=0.0, decode_batch_size=2)
    x0 = torch.from_numpy(codec.encode(layouts.read(np.arange(8))).numpy())
    assert x0.shape == (8, 16, 32, 32)
    stage = Finetuning(
        build_denoiser(DenoiserSettings(preset="unet64_d4"), 16, 32),
        build_scheduler(NoiseScheduleSettings()),
        Latents(x0, x0[:2]),
        FinetuneSettings(batch_size=8, learning_rate=1e-4),
        tiny.CPU,
        0,
        ("reference",),
        opponent=Critic(
            LatentDiscriminator(), AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0))
        ),
        teacher=Teacher(Semantics(semantic, codec, EncoderFeatures(codec)), {"train": rows}),
    )
    before = {name: p.detach().clone() for name, p in stage.model.named_parameters()}
    terms = stage.step(0, 0)
    for name in ("noise_loss", "segmentation_loss", "perceptual_loss", "discriminator_loss"):
        assert torch.isfinite(terms[name].value)
        assert terms[name].value > 0, name
    still = [n for n, p in stage.model.named_parameters() if torch.equal(p, before[n])]
    assert still == []
