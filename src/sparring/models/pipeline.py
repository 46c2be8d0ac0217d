"""A pipeline of a denoiser and an autoencoder that diffusers alone loads and samples."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..artefacts.atomic import write_text
from ..artefacts.model_files import PIPELINE_CODE, PIPELINE_INDEX, SCHEDULER
from ..artefacts.models import config_text, load_model, read_config, save_model
from ..errors import UserError
from ..objectives import guidance
from . import (
    backbone,
    codebook,
    conditional_pipeline,
    discriminator,
    guided,
    unet3d,
    volume_pipeline,
    vqgan,
)
from .denoiser import Denoiser, load_denoiser, num_conditions
from .guided import GuidedDenoiser
from .latent_scale import latent_channels, latent_scale
from .moments import Matching
from .unet3d import UNet3DModel
from .vqgan import VQGAN

_RGB = 3
_Modules = dict[str, tuple[ModuleType, ...]]
_OF_VOLUMES: _Modules = {"unet": (unet3d,), "vqvae": (vqgan, codebook)}
_GUIDED: _Modules = {"unet": (guided, backbone, discriminator, guidance, unet3d)}
# diffusers copies what a network's own file imports from beside it, and it alone.
_FLAT = {"from ..objectives.guidance import": "from .guidance import"}


def write_models(
    denoiser: Path,
    autoencoder: Path,
    output: Path,
    conditions: Sequence[str] = (),
    matched: Matching | None = None,
) -> None:
    """Write `unet/`, `vqvae/` and `scheduler/`; `conditions` are those that the denoiser knows.

    The autoencoder decodes what the denoiser samples, brought to the train latents' moments by
    `matched`.

    Networks that diffusers does not have, guided ones and those of volumes, bring their own files.
    """
    model, schedule = load_denoiser(denoiser)
    of_volumes = isinstance(_inner(model), UNet3DModel)
    decoder: Any = (_of_volumes if of_volumes else _of_layouts)(autoencoder, matched)
    channels = latent_channels(decoder.config)
    if model.config.in_channels != channels:
        raise UserError(
            f"{denoiser}: a denoiser for latents of {model.config.in_channels} channels, but "
            f"{autoencoder} makes {channels}; use the autoencoder that the "
            "denoiser was trained with"
        )
    if num_conditions(model) != len(conditions):
        raise UserError(
            f"{denoiser}: a denoiser of {num_conditions(model) or 'no'} conditions, found the "
            f"names of {len(conditions) or 'none'}; --conditions names latents of the data that it "
            "was trained on, if it is class-conditional"
        )
    save_model(model, output / "unet")
    save_model(decoder, output / "vqvae")
    for name, source in _code(output).items():
        write_text(output / name, source)
    # As sampling here does it: from T - 1, and latents beyond 1 are left as they are.
    sampled = DDIMScheduler.from_config(
        schedule.config, timestep_spacing="trailing", clip_sample=False
    )
    write_text(output / "scheduler" / SCHEDULER, config_text(sampled))


def _inner(model: Denoiser) -> Denoiser:
    """The denoiser that discriminators guide, where they do."""
    return model.unguided if isinstance(model, GuidedDenoiser) else model


def code_files(pipeline: Path) -> list[str]:
    """The files beside weights that diffusers runs when it loads a pipeline of `write_models`."""
    return list(_code(pipeline))


def _code(pipeline: Path) -> dict[str, str]:
    """Names and texts of the files that the networks of a pipeline need beside their weights."""
    tables = [_GUIDED] if is_guided(pipeline) else []
    tables += [_OF_VOLUMES] if is_of_volumes(pipeline) else []
    found: dict[str, str] = {}
    for part, modules in (entry for table in tables for entry in table.items()):
        for module in modules:
            source = Path(str(module.__file__))
            text = source.read_text(encoding="utf-8")
            for ours, flat in _FLAT.items():
                text = text.replace(ours, flat)
            found[f"{part}/{source.name}"] = text
    return found


def _of_layouts(autoencoder: Path, matched: Matching | None) -> torch.nn.Module:
    return fold_statistics(load_model(AutoencoderKL, autoencoder), matched)


def _of_volumes(directory: Path, matched: Matching | None) -> torch.nn.Module:
    """A VQ-GAN's own config says how its latents are scaled, and its HU window."""
    model = load_model(VQGAN, directory)
    if model.config.latents_mean is None:
        raise UserError(
            f"{directory}: its config.json has no latents_mean; take the model through an "
            "experiment of kind vqgan, which measures it"
        )
    if matched is not None:
        mean, std = _decoded_scale(model.config, matched)
        model.register_to_config(latents_mean=mean.tolist(), latents_std=std.tolist())
    return model


def _decoded_scale(config: Any, matched: Matching | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation `[C]` float64 that samples are scaled back with.

    std (scale z + shift) + mean, where samples z are matched.
    """
    mean, std = (torch.tensor(v, dtype=torch.float64) for v in latent_scale(config))
    if matched is None:
        return mean, std
    scale, shift = (torch.from_numpy(v).double() for v in (matched.scale, matched.shift))
    return mean + std * shift, std * scale


def write_index(output: Path, conditions: Sequence[str] = ()) -> None:
    """model_index.json, which makes the folder a pipeline; it comes last.

    diffusers has no pipeline for class-conditional UNet2DModels: with conditions, which are their
    names in order, the folder brings its own, and numbers them as DiTPipeline does. Nor has it one
    of volumes.
    """
    code = output / PIPELINE_CODE
    code.unlink(missing_ok=True)
    index: dict[str, Any] = {"_class_name": "LDMPipeline"}
    if conditions:
        write_text(code, Path(conditional_pipeline.__file__).read_text(encoding="utf-8"))
        name = conditional_pipeline.ClassConditionalLDMPipeline.__name__
        index = {
            "_class_name": [code.stem, name],
            "id2label": {str(number): label for number, label in enumerate(conditions)},
        }
    parts = {"unet": ["diffusers", "UNet2DModel"], "vqvae": ["diffusers", "AutoencoderKL"]}
    if is_of_volumes(output):
        write_text(code, Path(volume_pipeline.__file__).read_text(encoding="utf-8"))
        index = {"_class_name": [code.stem, volume_pipeline.VolumeLDMPipeline.__name__]}
        parts = {"unet": ["unet3d", "UNet3DModel"], "vqvae": ["vqgan", "VQGAN"]}
    if is_guided(output):
        parts["unet"] = ["guided", GuidedDenoiser.__name__]
    index |= {
        "_diffusers_version": version("diffusers"),
        "scheduler": ["diffusers", "DDIMScheduler"],
        **parts,
    }
    write_text(output / PIPELINE_INDEX, json.dumps(index, indent=2) + "\n")


def is_of_volumes(pipeline: Path) -> bool:
    """Whether a pipeline that `write_models` wrote samples volumes."""
    return unet_config(pipeline).get("_class_name") == UNet3DModel.__name__


def is_guided(pipeline: Path) -> bool:
    """Whether discriminators guide the denoiser of a pipeline that `write_models` wrote."""
    return read_config(pipeline / "unet").get("_class_name") == GuidedDenoiser.__name__


def unet_config(pipeline: Path) -> dict[str, Any]:
    """The configuration of the denoiser itself, guided or not."""
    config = read_config(pipeline / "unet")
    inner: dict[str, Any] = config.get("denoiser", config)
    return inner


def fold_statistics(model: AutoencoderKL, matched: Matching | None = None) -> AutoencoderKL:
    """An autoencoder between layouts and *standardised* latents, that decodes RGB only.

    Pipelines know one scale for all channels, so the mean and standard deviation of each channel
    go into the 1x1 convolutions next to the latents, on both sides. `matched` is for samples: it
    goes into the decoder's side alone, and layouts are encoded to what the denoiser was trained on.
    """
    mean, std = (torch.tensor(v, dtype=torch.float64) for v in latent_scale(model.config))
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    _add_identities(weights, len(mean))
    kernel, bias = weights["post_quant_conv.weight"], weights["post_quant_conv.bias"]
    # W (std z + mean) + b
    back_mean, back_std = _decoded_scale(model.config, matched)
    weights["post_quant_conv.bias"] = bias + kernel.flatten(1) @ back_mean
    weights["post_quant_conv.weight"] = kernel * back_std.reshape(1, -1, 1, 1)
    # The encoder gives mean and log variance: ((m - mean) / std, logvar - 2 log std).
    kernel, bias = weights["quant_conv.weight"], weights["quant_conv.bias"]
    scale = torch.cat([1 / std, torch.ones_like(std)])
    weights["quant_conv.weight"] = kernel * scale.reshape(-1, 1, 1, 1)
    shift = torch.cat([-mean / std, -2 * std.log()])
    weights["quant_conv.bias"] = bias * scale + shift
    for name in ("decoder.conv_out.weight", "decoder.conv_out.bias"):
        weights[name] = weights[name][:_RGB]
    return _with_weights(model, weights)


def _with_weights(model: AutoencoderKL, weights: dict[str, Tensor]) -> AutoencoderKL:
    folded = AutoencoderKL.from_config(
        model.config,
        out_channels=_RGB,
        latents_mean=None,
        latents_std=None,
        scaling_factor=1.0,
        shift_factor=None,
        use_quant_conv=True,
        use_post_quant_conv=True,
    )
    folded.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return folded.eval()


def _add_identities(weights: dict[str, Tensor], channels: int) -> None:
    """Where an autoencoder has no convolution beside its latents."""
    for name, width in (("quant_conv", 2 * channels), ("post_quant_conv", channels)):
        if f"{name}.weight" not in weights:
            eye = torch.eye(width, dtype=torch.float64)
            weights[f"{name}.weight"] = eye.reshape(width, width, 1, 1)
            weights[f"{name}.bias"] = torch.zeros(width, dtype=torch.float64)
