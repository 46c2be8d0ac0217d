"""Files that `torch.save` wrote: only tensors are read, nothing pickled is ever run."""

import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from .atomic import replacing

_PICKLED = ("weights_only", "Weights only")


def read_torch(path: Path, instead: str) -> Any:
    """Tensors, numbers, texts and lists or dicts of them, on the CPU, memory-mapped if possible.

    `instead` says what to save where the file was made, in case it holds a pickled object. Raises
    UserError for missing and damaged files and for objects that only their own code could open.
    """
    if not path.is_file():
        raise UserError(f"{path}: missing, expected a file that torch.save wrote")
    try:
        mapped = zipfile.is_zipfile(path)  # files of before torch 1.6 cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # on foreign bytes, unpickling raises whatever comes up
        if any(word in str(error) for word in _PICKLED):
            raise UserError(
                f"{path}: holds a pickled {_pickled_class(error)}, which is not loaded, for it can "
                f"run any code; where it was made, run {instead}"
            ) from error
        reason = str(error).partition(". ")[0] or type(error).__name__
        raise UserError(
            f"{path}: not a readable file of torch.save ({reason}); save or copy it again"
        ) from error


def write_tensor(path: Path, tensor: torch.Tensor) -> None:
    """One bare tensor; equal tensors are equal bytes, whatever the file is called."""
    with replacing(path) as aside, open(aside, "wb") as file:
        torch.save(tensor.contiguous().clone(), file)  # a view would bring its whole storage


def _pickled_class(error: Exception) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return found.group(1) if found else "object"
