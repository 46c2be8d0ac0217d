"""A denoiser from a bare state_dict of a UNet2DModel and its config."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..artefacts.models import read_config, read_tensors
from ..artefacts.torch_files import read_torch
from ..errors import UserError
from .denoiser import forward_process

WEIGHT_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")
_INSTEAD = "torch.save(model.state_dict(), 'denoiser.pt') with model the UNet2DModel"
_LIGHTNING = "pytorch-lightning_version"
_FIRST = "conv_in.weight"  # every UNet2DModel has it: what precedes it in a name is a prefix
# Where several sets of weights fit: an average samples better than the weights it is of.
_ORDER = ("ema", "average", "shadow", "state_dict", "model", "unet", "denoiser", "net", "")


@dataclass(frozen=True)
class Taken:
    """Tensors by the names of a UNet2DModel, and where in the file they were."""

    tensors: dict[str, Tensor]
    place: str
    """Keys and prefix, such as `ema` or `state_dict: module.*`; empty for the whole file."""
    left_out: int = 0
    """Tensors beside them that have not the prefix."""


@dataclass(frozen=True)
class ImportedDenoiser:
    """A model with its weights, and what was chosen on the way."""

    model: UNet2DModel
    taken: Taken
    others: list[str]
    """Places of other weights in the file that would have fitted too."""


def read_denoiser(weights: Path, config: Path, key: str | None = None) -> ImportedDenoiser:
    """The denoiser of a bare state_dict; `key` chooses where the file holds several.

    Raises UserError for what cannot be carried over (pickled modules, Lightning checkpoints,
    networks with other conditions than classes) and for weights that belong to another config.
    """
    model = _build(config)
    found = [_current_names(taken, model) for taken in _found_in(_read(weights), weights)]
    if key is not None:
        found = [taken for taken in found if taken.place.partition(":")[0] == key]
        if not found:
            raise UserError(f"{weights}: has no UNet2DModel's weights under the key {key!r}")
    fitting = [taken for taken in found if not _misfit(taken, model)]
    if not fitting:
        raise UserError(f"{weights}: {_misfit(_closest(found, model), model)}")
    taken = fitting[0]
    _require_finite(taken, weights)
    model.load_state_dict({name: tensor.float() for name, tensor in taken.tensors.items()})
    return ImportedDenoiser(model.eval(), taken, [other.place for other in fitting[1:]])


def read_scheduler(path: Path) -> DDIMScheduler:
    """The noise schedule in any diffusers scheduler's config."""
    config = read_config(path.parent, path.name)
    if "num_train_timesteps" not in config:
        raise UserError(
            f"{path}: has no num_train_timesteps, expected a diffusers scheduler_config.json"
        )
    scheduler = DDIMScheduler.from_config(config, clip_sample=False)
    forward_process(scheduler)  # refuses other predictions than eps and v
    return scheduler


def _build(path: Path) -> UNet2DModel:
    config = read_config(path.parent, path.name)
    found = config.get("_class_name", "UNet2DModel")
    if found != "UNet2DModel":
        raise UserError(
            f"{path}: is the config of a {found}, expected a UNet2DModel; no other denoiser can be "
            "carried over"
        )
    try:
        model = UNet2DModel.from_config(config)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UserError(f"{path}: no UNet2DModel can be built from it ({error})") from error
    made = model.config
    if made.in_channels != made.out_channels:
        raise UserError(
            f"{path}: in_channels is {made.in_channels} but out_channels {made.out_channels}; "
            "expected equal ones: a network that also predicts a variance cannot be carried over"
        )
    if made.class_embed_type is not None:
        raise UserError(
            f"{path}: class_embed_type is {made.class_embed_type!r}, expected a denoiser without "
            "conditions or with num_class_embeds; it cannot be carried over"
        )
    if not isinstance(made.sample_size, int):
        raise UserError(
            f"{path}: sample_size is {made.sample_size}, expected the latents' side as one number; "
            "write it there"
        )
    return model


def _read(path: Path) -> Any:
    if path.suffix == ".ckpt":
        raise _lightning(path)
    if path.suffix not in WEIGHT_SUFFIXES:
        raise UserError(
            f"{path}: ends in {path.suffix!r}, expected weights in {', '.join(WEIGHT_SUFFIXES)}"
        )
    if path.suffix == ".safetensors":
        return read_tensors(path)
    content = read_torch(path, _INSTEAD)
    if isinstance(content, Mapping) and _LIGHTNING in content:
        raise _lightning(path)
    return content


def _lightning(path: Path) -> UserError:
    return UserError(
        f"{path}: is a Lightning checkpoint, which is tied to the code of its module; where it "
        "was made, run torch.save(module.unet.state_dict(), 'denoiser.pt') with unet the module's "
        "UNet2DModel"
    )


def _found_in(content: Any, path: Path) -> list[Taken]:
    """Every set of tensors with the first layer of a UNet2DModel, the likeliest first."""
    found = list(_sets(content))
    if not found:
        what = ", ".join(map(repr, list(content)[:5])) if isinstance(content, Mapping) else ""
        raise UserError(
            f"{path}: holds a {type(content).__name__}{f' with {what}' if what else ''}, but no "
            f"tensor named {_FIRST}, expected the state_dict of a UNet2DModel; where it was made, "
            f"run {_INSTEAD}"
        )
    return sorted(found, key=lambda taken: _rank(taken.place))


def _sets(content: Any, keys: tuple[str, ...] = ()) -> Iterator[Taken]:
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        yield from _sets(value, (*keys, str(key)))
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    for name in tensors:
        prefix = name.removesuffix(_FIRST)
        if prefix != name and (not prefix or prefix.endswith(".")):
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            place = ".".join(keys) + (f": {prefix}*" if prefix else "")
            yield Taken(own, place, len(tensors) - len(own))


def _rank(place: str) -> int:
    return next(rank for rank, word in enumerate(_ORDER) if word in place.lower())


def _current_names(taken: Taken, model: UNet2DModel) -> Taken:
    """Older diffusers named the attention's layers otherwise."""
    tensors = model._fix_state_dict_keys_on_load(dict(taken.tensors))
    return Taken(tensors, taken.place, taken.left_out)


def _differences(taken: Taken, model: UNet2DModel) -> tuple[list[str], list[str], list[str]]:
    """Names that are missing, unknown, and of another shape."""
    wanted, found = model.state_dict(), taken.tensors
    return (
        [name for name in wanted if name not in found],
        [name for name in found if name not in wanted],
        [name for name in wanted if name in found and wanted[name].shape != found[name].shape],
    )


def _misfit(taken: Taken, model: UNet2DModel) -> str:
    """Why these are not the model's weights; empty if they are."""
    missing, unknown, reshaped = _differences(taken, model)
    if not (missing or unknown or reshaped):
        return ""
    if reshaped:
        name = reshaped[0]
        expected = list(model.state_dict()[name].shape)
        first = f"{name} is {list(taken.tensors[name].shape)}, expected {expected}"
    else:
        first = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown to the config"
    counts = f"{len(missing)} missing, {len(unknown)} unknown, {len(reshaped)} of another shape"
    where = f" under {taken.place!r}" if taken.place else ""
    return (
        f"{first}{where} ({counts}); the weights belong to another config.json: give the one of "
        "this model, as model.save_config wrote it"
    )


def _closest(found: list[Taken], model: UNet2DModel) -> Taken:
    return min(found, key=lambda taken: sum(map(len, _differences(taken, model))))


def _require_finite(taken: Taken, path: Path) -> None:
    for name, tensor in taken.tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: tensor {name} holds NaN or infinity; choose an earlier state")
