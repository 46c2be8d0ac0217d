"""Settled keys into an experiment and the entries of config.yaml that it needs."""

from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ..parts import FinetuneSettings, SampleGrid, SamplingSettings
from .kinds import ENTRIES, MODELS, Kind
from .values import telling_name

_WITHOUT_SEMANTIC_LOSSES = {"segmentation_weight": 0.0, "perceptual_weight": 0.0}
_AS_BEFORE: dict[str, dict[str, Any]] = {
    "diffusion": {"lr_schedule": "constant"},
    "adversarial": {"objective": "x0_bce"},
}
"""What the old programs did in rounds without being told, and is no default here."""


@dataclass(frozen=True)
class Asked:
    """What is asked for beside the old file."""

    name: str | None = None
    """Of the experiment; default: its old name."""
    kind: Kind | None = None
    """Default: what the old file calls for."""
    start_from: str | None = None
    """An experiment or a model directory in place of the old checkpoint."""
    dataset: str | None = None
    """An entry that config.yaml has already."""
    autoencoder: str | None = None
    """An entry that config.yaml has already."""

    @property
    def own_entries(self) -> set[str]:
        """Which entries of config.yaml the old file is to give."""
        if self.start_from is not None and "/" not in self.start_from:
            return set()  # an experiment, whose dataset and autoencoder are taken over
        given = {"datasets": self.dataset, "autoencoders": self.autoencoder}
        return {group for group, name in given.items() if name is None}


def require_what_is_needed(kind: Kind, settled: dict[str, Any], asked: Asked, source: str) -> None:
    """Refuse an old file that does not say where to start or which layouts to take."""
    if kind != "pretrain" and "start_from" not in settled:
        raise UserError(
            f"{source}: a {kind} experiment starts from a denoiser, but the file has no "
            "diffusion.stage1_checkpoint; name an experiment or a model directory with --start-from"
        )
    if "datasets" in asked.own_entries and "datasets.NAME.manifest" not in settled:
        raise UserError(
            f"{source}: dataset.manifest is missing; add it, or name an entry of config.yaml with "
            "--dataset"
        )


def steps_at_most(num_timesteps: Any, kind: Kind, settled: dict[str, Any]) -> dict[str, int]:
    """Sampler steps by key where the defaults are more than an old schedule has timesteps."""
    steps = {"diffusion.sample_grid.num_steps": SampleGrid.model_fields["num_steps"].default}
    if kind != "pretrain":
        steps["sampling.num_steps"] = SamplingSettings.model_fields["num_steps"].default
    if kind == "adversarial":
        steps["diffusion.selection_steps"] = FinetuneSettings.model_fields[
            "selection_steps"
        ].default
    return {
        key: num_timesteps
        for key, default in steps.items()
        if isinstance(num_timesteps, int) and num_timesteps < default and key not in settled
    }


def experiment_of(
    kind: Kind, settled: dict[str, Any], asked: Asked, semantic: bool
) -> dict[str, Any]:
    """The content of the experiment's file, its keys in the order of the documentation."""
    keys = {key: v for key, v in settled.items() if key.partition(".")[0] not in ENTRIES}
    experiment = nested(keys) | {"kind": kind} | _entry_names(settled, asked)
    if kind == "finetune" and not semantic:
        experiment["semantic"] = _WITHOUT_SEMANTIC_LOSSES
    elif kind != "pretrain" and semantic:
        experiment.setdefault("semantic", {})
    if kind == "adversarial":
        for group, values in _AS_BEFORE.items():
            experiment[group] = values | experiment.get(group, {})
    return {key: experiment[key] for key in MODELS[kind].model_fields if key in experiment}


def entries_of(settled: dict[str, Any], asked: Asked) -> dict[str, dict[str, Any]]:
    """`datasets` and `autoencoders` of config.yaml, without those that it has already."""
    names = _entry_names(settled, asked)
    config: dict[str, dict[str, Any]] = {"datasets": {}, "autoencoders": {}}
    given = nested({k: v for k, v in settled.items() if k.partition(".")[0] in ENTRIES})
    first = {"datasets": {"kind": "manifest"}, "autoencoders": {"dataset": names.get("dataset")}}
    for group, name in (("datasets", "dataset"), ("autoencoders", "autoencoder")):
        if group in asked.own_entries:
            config[group][names[name]] = first[group] | given.get(group, {}).get("NAME", {})
    return config


def nested(keys: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys as groups."""
    groups: dict[str, Any] = {}
    for key, value in keys.items():
        *above, last = key.split(".")
        into = groups
        for group in above:
            into = into.setdefault(group, {})
        into[last] = value
    return groups


def _entry_names(settled: dict[str, Any], asked: Asked) -> dict[str, str]:
    """Names of dataset and autoencoder; none where those of the start are taken over."""
    dataset, autoencoder = asked.dataset, asked.autoencoder
    if "datasets" in asked.own_entries:
        dataset = telling_name(settled["datasets.NAME.manifest"].removesuffix(".csv"))
    if "autoencoders" in asked.own_entries:
        autoencoder = f"{dataset}_kl"
    names = {"dataset": dataset, "autoencoder": autoencoder}
    return {key: name for key, name in names.items() if name is not None}
