"""The groups of keys that experiments are made of."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from .base import Settings

Sampler = Literal["ddim", "ddpm", "dpmsolver++", "unipc"]
Moments = Literal["keep", "match"]


class DenoiserSettings(Settings):
    """The network that predicts the noise (or v)."""

    preset: Literal[
        "unet_micro",
        "unet_tiny",
        "unet32_d3",
        "unet32_d3_attn",
        "unet48_d3",
        "unet48_d4",
        "unet64_d4",
        "unet64_d4_attn",
        "unet128_d3",
        "unet128_d4",
        "unet3d_tiny",
        "unet3d_32_d2",
        "unet3d_64_d2",
        "unet3d_64_d2_attn",
        "unet3d_64_d3",
    ] = "unet64_d4"
    """Architecture: first width, number of levels, attention; for latents of volumes those that
    begin with `unet3d`. See models/presets.py."""


class NoiseScheduleSettings(Settings):
    """The forward process and the prediction target."""

    schedule: Literal["linear", "scaled_linear", "cosine"] = "linear"
    """How beta grows with t."""
    num_timesteps: int = Field(1000, ge=2)
    """T, the number of timesteps."""
    beta_start: float = Field(1e-4, gt=0, lt=1)
    """First beta (linear, scaled_linear)."""
    beta_end: float = Field(0.02, gt=0, lt=1)
    """Last beta (linear, scaled_linear)."""
    prediction: Literal["epsilon", "v"] = "epsilon"
    """What the network predicts."""
    zero_terminal_snr: bool = False
    """Rescale betas so that nothing of x0 is left at T (Lin et al. 2024); needs `prediction: v`."""

    @model_validator(mode="after")
    def _terminal_snr_needs_v(self) -> "NoiseScheduleSettings":
        if self.zero_terminal_snr and self.prediction == "epsilon":
            raise ValueError(
                "zero_terminal_snr needs prediction: v (at zero SNR eps says nothing about x0)"
            )
        if self.beta_end < self.beta_start:
            raise ValueError(f"beta_end {self.beta_end} is below beta_start {self.beta_start}")
        return self


class SamplingSettings(Settings):
    """How latents are sampled from a denoiser."""

    sampler: Sampler = "dpmsolver++"
    """A diffusers scheduler. What each makes of a known Gaussian: bench/results/solver.md."""
    num_steps: int = Field(50, ge=1)
    """Sampler steps: 50 of dpmsolver++ keep every spread within 1 % on all noise schedules, 25 on
    cosine ones."""
    moments: Moments = "keep"
    """`match` brings mean and standard deviation of each channel, over all the samples of a file,
    to those of the train latents."""
    eta: float = Field(0.0, ge=0, le=1)
    """DDIM's noise share: 0 deterministic, 1 like DDPM."""
    guidance_scale: float = Field(1.0, ge=0)
    """Classifier-free guidance of class-conditional denoisers: 1 is none, above 1 samples are drawn
    further towards their condition, in twice the time."""
    batch_size: int = Field(32, ge=1)
    """Latents sampled at once; does not change what is sampled."""
    shards: int = Field(1, ge=1)
    """Jobs that an iteration's fakes are sampled in, each on a GPU of its own. Does not change what
    is sampled: shards are cut between batches."""


class SampleGrid(Settings):
    """The periodic picture of samples. Training waits for it."""

    num_samples: int = Field(64, ge=1)
    """Samples in the grid."""
    sampler: Sampler = "dpmsolver++"
    """A diffusers scheduler."""
    num_steps: int = Field(50, ge=1)
    """Sampler steps, as for samples that are judged: see `sampling.num_steps`."""
    guidance_scale: float = Field(1.0, ge=0)
    """See `sampling.guidance_scale`."""


class DiffusionTraining(Settings):
    """What every training of a denoiser has."""

    epochs: int = Field(50, ge=1)
    """Passes over the train split."""
    batch_size: int = Field(32, ge=1)
    """Latents per step."""
    learning_rate: float = Field(1e-4, gt=0)
    """AdamW's rate."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """`cosine` falls to 0 over all the steps of the stage."""
    lr_warmup_steps: int = Field(0, ge=0)
    """Steps over which the rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Decay of the weight average; early steps use (1 + step) / (10 + step) if that is less."""
    augmented: bool = True
    """Train on augmented rows too, where the dataset has any."""
    condition_dropout: float = Field(0.1, ge=0, lt=1)
    """Share of training latents whose condition is withheld, so that class-conditional denoisers
    also learn none, which guidance needs."""
    eval_interval: int = Field(5, ge=1)
    """Validate every so many epochs, and after the last."""
    sample_interval: int = Field(10, ge=0)
    """Draw a sample grid every so many epochs; 0 draws none."""
    sample_grid: SampleGrid = SampleGrid()
    """What the grid shows."""


class PretrainSettings(DiffusionTraining):
    """Training from scratch."""

    epochs: int = Field(200, ge=1)
    """Passes over the train split."""


class FinetuneSettings(DiffusionTraining):
    """Training within an iteration."""

    learning_rate: float = Field(5e-5, gt=0)
    """AdamW's rate."""
    lr_schedule: Literal["constant", "cosine"] = "cosine"
    """`cosine` falls to 0 over all the steps of an iteration; each begins anew."""
    noise_weight: float = Field(1.0, ge=0)
    """Weight of the noise loss."""
    carry_optimizer: bool = False
    """Go on with the optimiser's moments that the previous iteration left. The rate is not carried:
    its schedule begins anew."""
    selection_samples: int = Field(256, ge=0)
    """So many latents are sampled from the averaged weights at every validation, and the epoch
    whose samples have the least kernel distance to the validation split is kept. 0 samples none and
    keeps the epoch of the least noise loss."""
    selection_steps: int = Field(50, ge=1)
    """Steps of DPM-Solver++ for these samples."""

    @model_validator(mode="after")
    def _samples_are_a_set(self) -> "FinetuneSettings":
        if self.selection_samples == 1:
            raise ValueError(
                "selection_samples is 1, but a distance needs several samples; set some hundreds, "
                "or 0 to choose the epoch by the noise loss"
            )
        return self


class SemanticTraining(DiffusionTraining):
    """Training with semantic losses."""

    epochs: int = Field(100, ge=1)
    """Passes over the train split."""
    learning_rate: float = Field(5e-5, gt=0)
    """AdamW's rate."""
    noise_weight: float = Field(1.0, ge=0)
    """Weight of the noise loss."""


class DiscriminatorSettings(Settings):
    """The discriminator on latents and its training."""

    base_channels: int = Field(64, ge=1)
    """Width of the first level; doubles per level."""
    num_layers: int = Field(4, ge=1)
    """Levels; each halves the latent's side."""
    epochs: int = Field(50, ge=0)
    """Passes over reals and fakes; 0 takes the starting discriminator as it is."""
    batch_size: int = Field(64, ge=2)
    """Latents per step, half real, half fake."""
    learning_rate: float = Field(2e-4, gt=0)
    """Adam's rate, betas (0.5, 0.999)."""
    plateau_patience: int = Field(5, ge=0)
    """Epochs without a better validation loss before the rate is halved."""
    val_fraction: float = Field(0.2, gt=0, lt=1)
    """Share of reals and of fakes that validates, cut by original."""
    start_from: str | None = None
    """The discriminator entering iteration 0: an adversarial experiment (`name`, `name@2`) or a
    model directory. The architecture keys must agree with it."""
    warm_start: bool = False
    """Later iterations go on from the previous iteration's discriminator."""
    reals: Literal["originals", "as_training"] = "as_training"
    """`as_training` also draws augmented rows where the denoiser trains on them; `originals` draws
    none, so that orientation tells reals from fakes where it does."""
    backbone: Literal["convolutions", "denoiser"] = "convolutions"
    """`denoiser`: the encoder of the denoiser that enters iteration 0, with its weights, and a
    head; `base_channels` and `num_layers` then say nothing."""
    weight_decay: float = Field(0.0, ge=0)
    """Adam's decoupled decay."""
    spectral_norm: bool = False
    """Every layer's largest singular value is kept at 1 (Miyato et al. 2018)."""
    r1: float = Field(0.0, ge=0)
    """gamma / 2 |grad D|^2 on reals, computed in fp32 (Mescheder et al. 2018)."""
    r2: float = Field(0.0, ge=0)
    """The same on fakes."""
    relativistic: bool = False
    """The loss of pairs, softplus(-(D(real) - D(fake))), in place of cross-entropy
    (Jolicoeur-Martineau 2018); the denoiser's likewise."""
    replay: int = Field(0, ge=0)
    """Also train on the fakes of up to so many earlier iterations, all drawn alike."""
    online: bool = False
    """Let it go on learning, from the predictions, while the denoiser is fine-tuned."""


class DiscriminatorOverride(Settings):
    """Keys of `discriminator` that one iteration may replace."""

    epochs: int | None = Field(None, ge=0)
    """See `discriminator.epochs`."""
    batch_size: int | None = Field(None, ge=2)
    """See `discriminator.batch_size`."""
    learning_rate: float | None = Field(None, gt=0)
    """See `discriminator.learning_rate`."""

    def given(self) -> dict[str, Any]:
        """The keys that are set."""
        return self.model_dump(exclude_none=True)


class FinetuneOverride(Settings):
    """Keys of `diffusion` that one iteration may replace."""

    epochs: int | None = Field(None, ge=1)
    """See `diffusion.epochs`."""
    batch_size: int | None = Field(None, ge=1)
    """See `diffusion.batch_size`."""
    learning_rate: float | None = Field(None, gt=0)
    """See `diffusion.learning_rate`."""

    def given(self) -> dict[str, Any]:
        """The keys that are set."""
        return self.model_dump(exclude_none=True)


NULL = "reals"
"""The name of the null among models: training reals against held-out ones."""
DECODED_REALS = "decoded_reals"
"""Held-out reals through the autoencoder, in tables of decoded figures: what it alone does."""


BETTER_SOLVER, MATCHED = "start_better_solver", "start_matched"
"""The start, sampled otherwise: by a better solver, and with the moments of its samples matched."""


class BetterSolver(Settings):
    """How the start is sampled once more: what a better solver alone would have given."""

    sampler: Sampler = "dpmsolver++"
    """In place of `sampling.sampler`."""
    num_steps: int = Field(100, ge=1)
    """In place of `sampling.num_steps`."""


class EvaluationSettings(Settings):
    """How samples are judged against held-out reals: docs/evaluation.md."""

    num_samples: int = Field(2000, ge=8)
    """Samples per model, all models with the same noise."""
    feature_dim: int = Field(64, ge=2, le=128)
    """Random convolution features per latent; few where held-out layouts are few."""
    judge_seeds: int = Field(5, ge=2, le=50)
    """Judges of each family, each with its own beginning and its own halves of the data."""
    better_solver: BetterSolver = BetterSolver()
    """Of the baseline `start_better_solver`; equal to `sampling` there is none."""
    decoded: int = Field(1000, ge=8)
    """At most so many samples per model, and held-out layouts, are decoded for their figures."""
    inception_weights: Path | None = None
    """pytorch-fid's pt_inception-2015-12-05-6726825d.pth, fetched beforehand: decoded layouts are
    then also compared by Inception's features, 64 random combinations of them."""
    seed: int = 42
    """Sampling noise, features, judges and the groups that a jackknife leaves out."""
    grid: int = Field(16, ge=1)
    """Samples per model in the comparison picture."""
