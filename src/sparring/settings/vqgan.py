"""The 3D VQ-GAN on volumes: its network, codebook, losses and discriminators."""

from math import log2
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from .base import Settings


class CodebookSettings(Settings):
    """What latents are rounded to."""

    quantiser: Literal["ema", "fsq"] = "ema"
    """`ema`: codes that follow the latents by moving averages (van den Oord et al. 2017, appendix
    A.1). `fsq`: each latent channel rounded to a few levels, without anything to learn (Mentzer et
    al. 2023)."""
    num_codes: int = Field(512, ge=2)
    """Codes of `ema`."""
    code_dim: int = Field(64, ge=1)
    """Channels of a code of `ema`. With `fsq` there are as many as `fsq_levels`."""
    decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the moving averages, per step."""
    fsq_levels: tuple[int, ...] = (8, 8, 8)
    """Levels per channel of `fsq`; their product is the number of codes."""

    @model_validator(mode="after")
    def _levels_are_levels(self) -> "CodebookSettings":
        if not self.fsq_levels or min(self.fsq_levels) < 2:
            raise ValueError(
                f"fsq_levels is {list(self.fsq_levels)}, expected one number of at least 2 per "
                "channel"
            )
        return self


class CodebookTraining(Settings):
    """What happens to the codes of `ema` while they are trained."""

    start_step: int = Field(200, ge=0)
    """Steps before latents are rounded to codes, which then begin at latents of the data. Rounded
    from the first step on, latents tend to fall together into one code."""
    restart_below: float = Field(0.03, ge=0, lt=1)
    """A code used less than this share of the mean code is restarted at a latent of the present
    batch; 0 restarts none."""
    restart_interval: int = Field(20, ge=1)
    """Restarts are looked at every so many steps."""


class VqganModel(Settings):
    """Encoder and decoder."""

    downsample: tuple[int, int, int] = (4, 4, 4)
    """Voxels per latent cell along each axis; powers of 2."""
    channels: tuple[int, ...] = (0, 64, 128)
    """Widths, from full resolution to that of the latents, one more than there are halvings. At
    full resolution a voxel costs as much as anywhere else, and there are 64 times as many as
    latents of 4x4x4. 0 computes nothing there: the voxels of the first halving become channels."""
    blocks: tuple[int, ...] = (0, 1, 2)
    """Residual blocks at each of these resolutions, in encoder and decoder each."""
    codebook: CodebookSettings = CodebookSettings()
    """What latents are rounded to."""

    @model_validator(mode="after")
    def _shapes_fit(self) -> "VqganModel":
        if any(n < 1 or n & (n - 1) for n in self.downsample) or max(self.downsample) < 2:
            raise ValueError(
                f"downsample is {list(self.downsample)}, expected powers of 2, one of them at "
                "least 2"
            )
        wanted = self.halvings + 1
        for name in ("channels", "blocks"):
            found = getattr(self, name)
            least = (0, *[1] * self.halvings) if name == "channels" else (0,) * wanted
            if len(found) != wanted or any(n < m for n, m in zip(found, least, strict=False)):
                raise ValueError(
                    f"{name} is {list(found)}, expected {wanted} numbers of at least {list(least)} "
                    f"for downsample {list(self.downsample)}"
                )
        if self.channels[0] == 0 and self.blocks[0] > 0:
            raise ValueError(
                f"blocks is {list(self.blocks)}, but channels begins with 0: there is nothing at "
                "full resolution; begin blocks with 0 too, or give channels a width there"
            )
        return self

    @property
    def halvings(self) -> int:
        """Resolutions below the full one."""
        return int(log2(max(self.downsample)))


class VqganLosses(Settings):
    """Weights of the losses that both phases have."""

    l1: float = Field(1.0, gt=0)
    """Mean absolute error of voxels in [-1, 1]."""
    commitment: float = Field(0.25, ge=0)
    """Pulls latents towards their codes (`ema` only)."""
    perceptual: float = Field(0.1, ge=0)
    """Distance of features. 0 leaves the term out and loads no network."""
    perceptual_features: Literal["encoder", "vgg16"] = "encoder"
    """`encoder`: of the model's own encoder, frozen as phase one left it, so in phase two only.
    `vgg16`: of slices along all three axes, in both phases."""
    vgg16_weights: Path | None = None
    """torchvision's vgg16-397923af.pth, fetched beforehand; needed for `vgg16`."""
    vgg16_sha256: str = Field("397923af", pattern=r"^[0-9a-f]{8,64}$")
    """How the SHA-256 of `vgg16_weights` must begin."""

    @model_validator(mode="after")
    def _vgg16_has_weights(self) -> "VqganLosses":
        if self._uses_vgg16 and self.vgg16_weights is None:
            raise ValueError(
                "perceptual_features is 'vgg16' without vgg16_weights; name the file "
                "vgg16-397923af.pth, or leave perceptual_features at 'encoder'"
            )
        return self

    @property
    def in_phase_one(self) -> "VqganLosses":
        """Without what only phase two reads."""
        if self._uses_vgg16:
            return self
        return VqganLosses(l1=self.l1, commitment=self.commitment)

    def files(self) -> list[Path]:
        """The weights file, where it is read."""
        return [self.vgg16_weights] if self._uses_vgg16 and self.vgg16_weights else []

    @property
    def _uses_vgg16(self) -> bool:
        return self.perceptual > 0 and self.perceptual_features == "vgg16"


class VqganAdversarial(Settings):
    """The discriminators of phase two, on patches (Isola et al. 2017), and what they weigh."""

    image_weight: float = Field(1.0, ge=0)
    """Of the discriminator on slices along all three axes. 0 makes none."""
    volume_weight: float = Field(0.5, ge=0)
    """Of the discriminator on whole patches. 0 makes none."""
    feature_matching: float = Field(4.0, ge=0)
    """Weight of the distance between the discriminators' features of real and reconstructed (Wang
    et al. 2018), times each discriminator's own weight. Against small weights of the discriminators
    raise it: it is what keeps the detail that they ask for near the original's."""
    loss: Literal["hinge", "vanilla"] = "hinge"
    """`vanilla` is binary cross-entropy."""
    adaptive: bool = False
    """Scale the adversarial losses so that their gradient at the last layer is as long as that of
    the reconstruction losses (Esser et al. 2021, eq. 7)."""
    ramp_steps: int = Field(500, ge=0)
    """Steps over which the generator's adversarial losses rise from 0, while the discriminators
    learn."""
    learning_rate: float = Field(2e-4, gt=0)
    """Adam's rate of the discriminators, betas (0.5, 0.9)."""
    base_channels: int = Field(64, ge=1)
    """Width of the first level; doubles per level. 64 gives 2.8 M parameters for images, 11.0 M
    for volumes."""
    num_layers: int = Field(3, ge=1)
    """Levels after the first; all but the last halve the side. With 1, 2, 3 a logit sees 16, 34,
    70 voxels a side: take what is well within the patch."""
    scales: int = Field(1, ge=1)
    """Networks of each discriminator: the second sees patches of half the side, the third of a
    quarter, so that coarse structure is judged too (Wang et al. 2018)."""
    norm: Literal["group", "instance"] = "group"
    """Normalisation in the discriminators. None goes across a batch: statistics of only reals or
    only reconstructions would give the class away."""

    @model_validator(mode="after")
    def _something_judges(self) -> "VqganAdversarial":
        if self.image_weight == 0 and self.volume_weight == 0:
            raise ValueError(
                "image_weight and volume_weight are 0: no discriminator is left; set one above 0, "
                "or adversarial: null to train without"
            )
        if self.norm == "group" and self.base_channels % 4:
            raise ValueError(
                f"base_channels is {self.base_channels}, expected a multiple of 4 for norm: group"
            )
        return self

    @property
    def receptive_field(self) -> int:
        """Voxels a side that a logit of the coarsest scale sees: kernels of 4, of which all but two
        halve the side."""
        return (9 * 2**self.num_layers - 2) * 2 ** (self.scales - 1)


class VqganTraining(Settings):
    """How the VQ-GAN is trained, in both phases."""

    patch_size: int = Field(128, ge=4)
    """Side of the cubic patches in voxels."""
    batch_size: int = Field(2, ge=1)
    """Patches per step, over all GPUs."""
    micro_batch_size: int | None = Field(None, ge=1)
    """Patches at once on one GPU; by default all of its share. The batch stays what it is: their
    gradients are added up. Where memory runs out it is halved by itself."""
    codebook: CodebookTraining = CodebookTraining()
    """Beginning and restarts of codes."""
    slices_per_axis: int = Field(2, ge=1)
    """Slices of each patch and axis that the image discriminator (and VGG16) sees, drawn anew in
    each step."""
    learning_rate: float = Field(3e-4, gt=0)
    """Peak rate of Adam, betas (0.9, 0.99), of encoder and decoder."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """`cosine` falls to 0 over all the `steps` of both phases."""
    lr_warmup_steps: int = Field(100, ge=0)
    """Steps over which the rate rises from 0."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    eval_interval: int = Field(500, ge=1)
    """Validate every so many steps; such a stretch is one row of the history, an epoch there.
    Divides both phases."""
    val_patches: int = Field(64, ge=1)
    """Patches of the validation split, the same every time, spread evenly over its grid."""
