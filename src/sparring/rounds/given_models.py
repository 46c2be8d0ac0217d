"""Model directories that a user names: refused before anything is queued if they cannot serve."""

import json
from pathlib import Path
from typing import Any

from ..artefacts.model_files import CONFIG, DENOISER_FILES, MODEL_FILES
from ..errors import UserError


def given_model(directory: Path, kind: str, where: str) -> dict[str, Any]:
    """config.json of a directory that must hold all files of a model of class `kind`."""
    path = directory / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{where} is {str(directory)!r}, but {path} cannot be read ({error}); expected a "
            "diffusers model directory"
        ) from error
    found = config.get("_class_name") if isinstance(config, dict) else None
    if found != kind:
        raise UserError(
            f"{where} is {str(directory)!r}, which holds a {found}, expected a diffusers model "
            f"directory of a {kind}"
        )
    for name in DENOISER_FILES if kind.startswith("UNet") else MODEL_FILES:
        if not (directory / name).is_file():
            raise UserError(
                f"{where} is {str(directory)!r}, which has no {name}; save the model with "
                "save_pretrained (safetensors), a denoiser's scheduler beside it"
            )
    return config
