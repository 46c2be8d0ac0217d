"""Old values into the values of new keys."""

import re
from pathlib import PurePosixPath
from typing import Any, get_args

from ..parts import DenoiserSettings

PRESETS: tuple[str, ...] = get_args(DenoiserSettings.model_fields["preset"].annotation)
WEIGHTS_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".tar")
_GENERIC = {
    "best", "latest", "last", "final", "checkpoint", "checkpoints", "ckpt", "model", "models",
    "weights", "best_checkpoint", "checkpoint_best", "checkpoint_latest", "model_best",
    "best_model", "outputs", "manifest", "data", "dataset", "metadata", "index", "", ".", "..",
}  # fmt: skip


class NotCarried(Exception):  # noqa: N818 - not an error: the reason goes into the report
    """A value that no key takes, and what to do instead."""


def same(value: Any) -> Any:
    """The value as it is."""
    return value


def whole(value: Any) -> Any:
    """A count; 50.0 is written by some programs and means 50."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def text(value: Any) -> str:
    """A name or a path."""
    return str(value)


def device(value: Any) -> str:
    """`cuda:0` is `cuda`: which GPU a job gets is settled when it starts."""
    name = str(value).lower().partition(":")[0]
    if name in ("cuda", "gpu"):
        return "cuda"
    if name == "cpu":
        return "cpu"
    raise NotCarried(f"{value!r} is no device here, there are cpu and cuda")


def gpus(value: Any) -> int:
    """A number of GPUs, or a list of them."""
    count = len(value) if isinstance(value, list) else value
    if isinstance(count, int) and not isinstance(count, bool) and count > 0:
        return count
    raise NotCarried("not a number of GPUs; set gpus in the experiment")


def side(value: Any) -> int:
    """The side of a square picture in pixels."""
    sides = set(value) if isinstance(value, list) else {value}
    if len(sides) == 1 and isinstance(found := whole(sides.pop()), int):
        return found
    raise NotCarried(f"{value} is not square; layouts must be")


def gradient_norm(value: Any) -> Any:
    """A norm to clip to; 0 meant that nothing was clipped."""
    if value in (0, False):
        raise NotCarried("gradients are always clipped; a large max_grad_norm is like no clipping")
    return value


def averaging(value: Any) -> float:
    """Whether weights were averaged; a decay of 0 leaves them as they are."""
    if value is False:
        return 0.0
    raise NotCarried("weights are always averaged; diffusion.ema_decay says how slowly")


def noise_schedule(value: Any) -> str:
    """A noise schedule's name, however it was spelled."""
    name = str(value).lower()
    if "scaled" in name:
        return "scaled_linear"
    if "linear" in name:
        return "linear"
    if "cos" in name:
        return "cosine"
    raise NotCarried(f"{value!r} is no schedule here; there are linear, scaled_linear and cosine")


def prediction(value: Any) -> str:
    """What a network predicts."""
    name = str(value).lower()
    if name in ("epsilon", "eps", "noise", "pred_noise"):
        return "epsilon"
    if name in ("v", "v_prediction", "velocity"):
        return "v"
    raise NotCarried(f"{value!r} is not predicted here; there are epsilon and v")


def sampler(value: Any) -> str:
    """A sampler's name."""
    name = str(value).lower().removesuffix("scheduler").replace("_", "")
    known = {"ddim": "ddim", "ddpm": "ddpm", "unipc": "unipc", "unipcmultistep": "unipc"}
    if name.startswith("dpm"):
        return "dpmsolver++"
    if name in known:
        return known[name]
    raise NotCarried(f"{value!r} is no sampler here; there are ddim, ddpm, dpmsolver++ and unipc")


def lr_schedule(value: Any) -> str:
    """How the learning rate falls."""
    name = str(value).lower()
    if "restart" not in name and "cosine" in name:
        return "cosine"
    if name in ("constant", "none", "constantlr", "false"):
        return "constant"
    raise NotCarried(f"{value!r} is no schedule here; diffusion.lr_schedule is constant or cosine")


def augmented(value: Any) -> str:
    """Which copies a dataset keeps: only originals where augmented rows were filtered out."""
    if value is False or value == [False] or value in (0, [0]):
        return "drop"
    raise NotCarried(
        "rows flagged is_augmented are kept anyway; augmented: dihedral adds rotations and flips"
    )


def model_directory(value: Any) -> str:
    """The directory of a model; for a file of weights, the one that it is to be turned into."""
    path = str(value)
    if not is_weights_file(path):
        return path if "/" in path else f"./{path}"
    return f"models/{telling_name(path)}"


def discriminator_start(value: Any) -> str:
    """The directory of a discriminator."""
    if is_weights_file(str(value)):
        raise NotCarried(
            "discriminators of other programs cannot be read; iteration 0 trains one, or train one "
            "on latents of your own with train_discriminator.py"
        )
    return model_directory(value)


def is_weights_file(path: str) -> bool:
    """Whether a path names a file of weights rather than a model directory."""
    return path.lower().endswith(WEIGHTS_SUFFIXES)


def telling_name(path: str) -> str:
    """The first part of a path, from its end, that tells one model or dataset from another."""
    place = PurePosixPath(path)
    stem = place.name
    for suffix in WEIGHTS_SUFFIXES:
        stem = stem.removesuffix(suffix)
    parts = [stem, *(parent.name for parent in place.parents)]
    return identifier(next((part for part in parts if part.lower() not in _GENERIC), "mine"))


def identifier(name: Any) -> str:
    """A name of letters, digits and underscores."""
    return re.sub("[^A-Za-z0-9]", "_", str(name)).strip("_") or "mine"


def preset_name(value: Any) -> str:
    """A preset by its name."""
    if value not in PRESETS:
        raise NotCarried(
            f"there is no preset {value}; set denoiser.preset to one of {', '.join(PRESETS)}"
        )
    return str(value)


def preset(parts: dict[str, Any]) -> str:
    """The denoiser preset of a width, a depth and attention."""
    if not {"width", "depth"} <= parts.keys():
        raise NotCarried("a preset needs both width and depth; set denoiser.preset")
    with_attention = parts.get("attention") not in (None, False, "none", [], 0)
    suffix = "_attn" if with_attention else ""
    return preset_name(f"unet{parts['width']}_d{parts['depth']}{suffix}")


def split(parts: dict[str, Any]) -> dict[str, float]:
    """Shares of train, val and test. Many old files had no test split: it gets half of what the
    train split leaves."""
    listed = parts.get("all")
    if listed is not None:
        shares = listed if isinstance(listed, list) else [listed]
        parts = dict(zip(("train", "val", "test"), shares, strict=False))
    if not all(isinstance(share, float) and 0 < share < 1 for share in parts.values()):
        raise NotCarried("expected shares between 0 and 1; set datasets.NAME.split")
    val = parts.get("val", 0.1)
    train = parts.get("train", 1 - val - parts.get("test", val))
    test = parts.get("test", (1 - train) / 2)
    if len(parts) < 3:
        val = 1 - train - test
    return {name: round(x, 6) for name, x in (("train", train), ("val", val), ("test", test))}
