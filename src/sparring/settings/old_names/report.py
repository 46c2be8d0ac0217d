"""A conversion as text: the experiment's file, the entries of config.yaml, and the account."""

from collections.abc import Iterator
from typing import Any

import yaml

from ..parts import NoiseScheduleSettings
from .conversion import Account, Conversion
from .table import FILE_NAME
from .values import is_weights_file

_WIDTH = 96
_STEPS = (
    "diffusion.sample_grid.num_steps", "sampling.num_steps", "diffusion.selection_steps",
)  # fmt: skip
_ROUNDS_NOTES = (
    "diffusion.epochs, discriminator.epochs and num_samples are of each iteration",
    "adversarial.objective is x0_bce, the old recipe; new experiments take ddo, which has no "
    "discriminator (docs/objectives.md)",
    "adversarial.timesteps is [0.0, 0.2] unless you set it: only at low noise does the "
    "discriminator pull; [0, 1] is the old recipe (docs/rounds.md says what came of it)",
    "a control arm without the discriminator is trained beside, for comparison; control: false "
    "leaves it out",
)
_SEMANTIC_NOTES = (
    "only predictions with a signal-to-noise ratio of at least semantic.min_snr (1) are decoded; "
    "0 decodes all",
    "the perceptual loss compares features of the autoencoder; semantic.perceptual_features: "
    "vgg16 compares VGG16's, from a file",
)


def experiment_text(conversion: Conversion, source: str, schema: str | None) -> str:
    """The experiment's file; `schema` is where editors find the schema, from there."""
    head = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    return f"{head}# Converted from {source}\n{_yaml(conversion.experiment)}"


def config_text(conversion: Conversion) -> str:
    """What goes into config.yaml, as YAML."""
    entries = {group: entries for group, entries in conversion.config.items() if entries}
    return "# into config/config.yaml:\n" + _yaml({"experiments": [conversion.name], **entries})


def account_text(conversion: Conversion) -> str:
    """What became of every value, what is to be done first, and what differs from before."""
    carried = [account for account in conversion.accounts if account.carried]
    left = [account for account in conversion.accounts if not account.carried]
    lines = [f"kind: {conversion.kind}, because {conversion.because}", ""]
    lines += ["carried over:", *(_carried(a, conversion) for a in carried), ""]
    if left:
        lines += ["NOT carried over:"]
        lines += [f"  {a.leaf.old}: {_shown(a.leaf.value)}\n      {a.remark}" for a in left]
        lines += [""]
    if first := list(_to_do(conversion)):
        lines += ["to do first:", *(f"  {n}. {text}" for n, text in enumerate(first, 1)), ""]
    if notes := _notes(conversion):
        lines += ["otherwise than before:", *(f"  - {note}" for note in notes), ""]
    return "\n".join(lines)


def _carried(account: Account, conversion: Conversion) -> str:
    became = [_own_name(key, conversion, value) for key, value in account.sets.items()]
    text = ", ".join(became) or account.remark
    return f"  {account.leaf.old}: {_shown(account.leaf.value)} -> {text}"


def _own_name(key: str, conversion: Conversion, value: Any) -> str:
    """A key and its value, with the entry's name in place of NAME."""
    if key == FILE_NAME:
        return f"{conversion.name}.yaml"
    group = conversion.config.get(key.partition(".")[0], {})
    return f"{key.replace('NAME', next(iter(group), ''))}: {_shown(value)}"


def _to_do(conversion: Conversion) -> Iterator[str]:
    """What has to be there before the experiment can run."""
    start = conversion.source_of("start_from")
    if start is not None and is_weights_file(str(start.value)):
        way = ""
        if str(start.value).endswith(".ckpt"):
            way = ", after saving its state_dict where it was made"
        yield (
            f"import the denoiser{way} (docs/checkpoints.md): python "
            f"workflow/scripts/import_denoiser.py --weights {start.value} --config config.json "
            f"{_schedule_options(conversion.schedule)} "
            f"--output {conversion.experiment['start_from']}"
        )
    key = "autoencoders.NAME.start_from"
    autoencoder = conversion.source_of(key)
    if autoencoder is not None and is_weights_file(str(autoencoder.value)):
        ((name, entry),) = conversion.config["autoencoders"].items()
        yield (
            f"save the autoencoder of {autoencoder.value} as a diffusers AutoencoderKL: "
            f"model.save_pretrained({entry['start_from']!r}); if it is none, take start_from and "
            f"epochs out of autoencoders.{name}: a new one is trained, and denoisers that were "
            "trained on the old latents have to be trained anew"
        )
    yield "put the entries into config/config.yaml, then: snakemake --profile profiles/local -n"


def _schedule_options(schedule: dict[str, Any]) -> str:
    """The noise schedule for import_denoiser.py."""
    if "schedule" not in schedule:
        return "--scheduler scheduler_config.json"
    names = [key for key in NoiseScheduleSettings.model_fields if key != "zero_terminal_snr"]
    options = [f"--{key.replace('_', '-')} {schedule[key]}" for key in names if key in schedule]
    if schedule.get("zero_terminal_snr"):
        options.append("--zero-terminal-snr")
    return " ".join(options)


def _notes(conversion: Conversion) -> list[str]:
    rounds = _ROUNDS_NOTES if conversion.kind == "adversarial" else ()
    semantic = conversion.experiment.get("semantic")
    weighty = semantic is not None and (not semantic or any(semantic.values()))
    steps = [
        f"{key} is all the timesteps that there are, fewer than the default"
        for key in _STEPS
        if conversion.has(key) and conversion.source_of(key) is None
    ]
    return [*rounds, *(_SEMANTIC_NOTES if weighty else ()), *steps]


def _shown(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return " ".join(text.removesuffix("...\n").split())


def _yaml(content: dict[str, Any]) -> str:
    """YAML with groups on one line where they fit."""
    return "".join(
        yaml.safe_dump(
            {key: value},
            default_flow_style=None if isinstance(value, dict) and value else False,
            sort_keys=False,
            width=_WIDTH,
        )
        for key, value in content.items()
    )
