"""Which kind of experiment an old file calls for, and which keys that kind has."""

from typing import Literal, get_args

from pydantic import BaseModel

from ..autoencoder import AutoencoderSettings
from ..dataset import ManifestDataset
from ..experiment import AdversarialExperiment, FinetuneExperiment, PretrainExperiment
from .claims import Claim
from .losses import ADVERSARIAL, PERCEPTUAL, SEGMENTATION, SEMANTIC
from .table import FILE_NAME

Kind = Literal["pretrain", "finetune", "adversarial"]
MODELS: dict[Kind, type[BaseModel]] = {
    "pretrain": PretrainExperiment,
    "finetune": FinetuneExperiment,
    "adversarial": AdversarialExperiment,
}
ENTRIES: dict[str, type[BaseModel]] = {
    "datasets": ManifestDataset,
    "autoencoders": AutoencoderSettings,
}
_OF_THE_START = "comes with the denoiser that it starts from"
_NO_SUCH_KEY = {
    "start_from": "stage 1 starts from nothing",
    "denoiser": _OF_THE_START,
    "noise_schedule": _OF_THE_START,
    "diffusion": "the noise loss is the only one, with weight 1",
    "semantic": "stage 1 has no semantic losses; an experiment that starts from it can",
    "sampling": "stage 1 is not judged by samples; diffusion.sample_grid is what pictures show",
}
_OF_ROUNDS = ("adversarial.", "discriminator.", "iterations")
_FLAGS_OF_ROUNDS = (
    "--num_samples", "--generation_steps", "--generation_batch_size", "--start_iteration"
)  # fmt: skip


def kind_of(claims: list[Claim]) -> tuple[Kind, str]:
    """The kind of experiment that some claims call for, and what tells it."""
    flags = (claim.leaf.name for claim in claims if claim.leaf.name in _FLAGS_OF_ROUNDS)
    if against := _first(claims, _OF_ROUNDS, {ADVERSARIAL}) or next(flags, None):
        return "adversarial", f"there is {against}"
    if semantic := _first(claims, ("semantic.",), {SEMANTIC, SEGMENTATION, PERCEPTUAL}):
        return "finetune", f"there is {semantic}, and no discriminator"
    if start := _first(claims, ("start_from",), set()):
        return "finetune", f"there is {start}, and no other loss"
    return "pretrain", "there is neither a discriminator nor a checkpoint to start from"


def is_semantic(claims: list[Claim]) -> bool:
    """Whether decoded predictions enter the loss."""
    return _first(claims, ("semantic.",), {SEMANTIC, SEGMENTATION, PERCEPTUAL}) is not None


def refusal(key: str, kind: Kind, own: set[str]) -> str | None:
    """Why a dotted key cannot be set in an experiment of a kind; None if it can.

    `own` are the entries of config.yaml, `datasets` and `autoencoders`, that are being made.
    """
    group, _, rest = key.partition(".")
    if key == FILE_NAME:
        return None
    if group in ENTRIES:
        inside = rest.removeprefix("NAME.")
        if group not in own:
            return f"config.yaml has the entry under {group}; compare its {inside}"
        return None if _has_key(ENTRIES[group], inside) else f"{group} has no {inside}"
    if _has_key(MODELS[kind], key):
        return None
    return _NO_SUCH_KEY.get(group, f"only adversarial experiments have {key}")


def _first(claims: list[Claim], keys: tuple[str, ...], losses: set[str]) -> str | None:
    """The first place that says something of these keys, groups or losses, carried or not."""
    groups = tuple(key for key in keys if key.endswith("."))
    for claim in claims:
        leaf = claim.leaf
        says = any(key.startswith(keys) for key in claim.sets) or claim.loss in losses
        if groups and leaf.value not in (None, {}, [], False):
            says |= f"{leaf.name}.".startswith(groups) or f"{leaf.old}.".startswith(groups)
        if says:
            return f"{leaf.old}: {leaf.value}"
    return None


def _has_key(model: type[BaseModel], key: str) -> bool:
    """Whether a dotted key exists below a model."""
    name, _, rest = key.partition(".")
    if name not in model.model_fields:
        return False
    if not rest:
        return True
    annotation = model.model_fields[name].annotation
    groups = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type)]
    return any(issubclass(a, BaseModel) and _has_key(a, rest) for a in groups)
