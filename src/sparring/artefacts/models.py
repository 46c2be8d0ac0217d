"""Model directories in diffusers' two-file form."""

import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.configuration_utils import ConfigMixin
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..errors import UserError
from .atomic import replacing, write_text
from .model_files import CONFIG, SCHEDULER, WEIGHTS

Model = TypeVar("Model", bound=torch.nn.Module)


def save_model(
    model: torch.nn.Module,
    directory: Path,
    weights: dict[str, torch.Tensor] | None = None,
    scheduler: ConfigMixin | None = None,
) -> None:
    """Write config.json and weights as `save_pretrained` would; config.json last.

    `weights` replaces the model's own (an average, an earlier epoch). With a scheduler,
    scheduler_config.json lies beside, where `Scheduler.from_pretrained(directory)` finds it.
    """
    tensors = {
        name: tensor.detach().to("cpu", memory_format=torch.contiguous_format).contiguous()
        for name, tensor in (weights or model.state_dict()).items()
    }
    with replacing(directory / WEIGHTS) as aside:
        save_file(tensors, aside, metadata={"format": "pt"})
    if scheduler is not None:
        write_text(directory / SCHEDULER, config_text(scheduler))
    write_text(directory / CONFIG, config_text(model))


def load_model(kind: type[Model], directory: Path) -> Model:
    """A model of class `kind` from its directory, in eval mode, on the CPU in float32."""
    config = read_config(directory)
    found = config.get("_class_name")
    if found != kind.__name__:
        raise UserError(f"{directory}: holds a {found}, expected a {kind.__name__}")
    try:
        model = kind.from_config(config)  # type: ignore[attr-defined]
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{directory / CONFIG}: no {kind.__name__} can be built from it ({reason})"
        ) from error
    # Published autoencoders still have the attention's names of before 2023.
    tensors = model._fix_state_dict_keys_on_load(read_tensors(directory / WEIGHTS))
    wanted = model.state_dict()
    missing, unexpected = wanted.keys() - tensors.keys(), tensors.keys() - wanted.keys()
    reshaped = [n for n in wanted.keys() & tensors.keys() if wanted[n].shape != tensors[n].shape]
    if missing or unexpected or reshaped:
        raise UserError(
            f"{directory / WEIGHTS}: {len(missing)} tensors of the configured model are missing, "
            f"{len(unexpected)} are unknown and {len(reshaped)} have another shape; the file "
            "belongs to another config.json"
        )
    model.load_state_dict(tensors)
    return model.eval()


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A safetensors file; refuses damaged ones and NaN."""
    if not path.is_file():
        raise UserError(f"{path}: missing; a model directory holds {CONFIG} and {WEIGHTS}")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: not a readable safetensors file ({error}); delete it and run again"
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{path}: tensor {name} holds NaN or infinity")
    return tensors


def read_config(directory: Path, name: str = CONFIG) -> dict[str, Any]:
    """config.json (or another JSON object) of a model directory."""
    path = directory / name
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror or error}); expected a diffusers model "
            "directory"
        ) from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: holds {str(config)[:40]!r}, expected the config of a model")
    return config


def config_text(model: Any) -> str:
    """The config as diffusers writes it, without the path it was once loaded from."""
    config = json.loads(model.to_json_string())
    config.pop("_name_or_path", None)
    return json.dumps(config, indent=2, sort_keys=True) + "\n"
