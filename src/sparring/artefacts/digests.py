"""SHA-256 of files and model directories."""

import hashlib
from pathlib import Path

from ..errors import UserError
from .model_files import MODEL_FILES

_LENGTH = 16  # hex digits kept: 64 bits tell apart any number of files a user will have


def text_digest(text: str) -> str:
    """Digest of a string."""
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def file_digest(path: Path) -> str:
    """Digest of a file's bytes, streamed."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:_LENGTH]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def sha256(path: Path) -> str:
    """All 64 hex digits, as `sha256sum` prints them."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_digest(*parts: bytes | memoryview) -> str:
    """Digest of bytes in a row."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:_LENGTH]


def path_digest(path: Path) -> str:
    """Digest of a file, or of a model directory's configs and weights."""
    if not path.is_dir():
        return file_digest(path)
    files = sorted(f for f in path.iterdir() if f.suffix in (".json", ".safetensors"))
    return text_digest("".join(f"{f.name}:{file_digest(f)}" for f in files))


def model_digest(directory: Path) -> str:
    """Digest of a model directory: its config and weights."""
    return text_digest("".join(file_digest(directory / name) for name in MODEL_FILES))
