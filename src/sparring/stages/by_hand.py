"""What the workflow tells a job, put together from options where there is no workflow."""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..artefacts.digests import text_digest
from ..artefacts.state_files import JOB
from ..errors import UserError
from ..settings.by_hand import defaults_by_hand
from ..settings.config import RUN_KEYS, Config
from ..settings.documentation import keys_of
from ..settings.reading import mapping, parse_yaml, read_yaml, validate
from ..settings.stage_settings import StageSettings
from .parser import StageParser

S = TypeVar("S", bound=StageSettings)
Values = dict[str, Any]
_FOLDER = Path("state/by_hand")


def settings_by_hand(kind: type[S], parser: StageParser, args: argparse.Namespace) -> S:
    """The stage's settings from the options.

    Raises UserError that names the option, the key and what was expected.
    """
    values, sources = defaults_by_hand(kind), []
    for source, setting in _given(kind, parser, args):
        sources += [source] if source not in sources else []
        _merge(values, setting)
        if "stage" not in values:
            _refuse_elsewhere(kind, source, setting)
    source = ", ".join(sources) or "settings by hand"
    if "stage" in values:  # all of them, as the workflow writes and prints them
        return kind.from_json(json.dumps(values, default=str), source)
    _join_inputs(values, parser, args)
    return validate(values, kind, source)


def content_by_hand(
    settings: StageSettings, parser: StageParser, args: argparse.Namespace
) -> Values:
    """What would stand in the job file; `args.job` is set to its place."""
    outputs = parser.outputs(args)
    stage = settings.stage
    if args.job is None:
        digest = text_digest("\n".join(str(path.absolute()) for path in outputs))
        args.job = (args.state or _FOLDER / f"{stage}-{digest}") / JOB
    state = args.job.parent
    beside = outputs[0] if len(outputs) == 1 and not outputs[0].suffix else outputs[0].parent
    given = {key: getattr(args, key) for key in RUN_KEYS}
    return {
        "name": stage,
        "settings": json.loads(settings.to_json()),
        "record": str(args.record or beside / "settings" / f"{stage}.json"),
        "log": str(args.log or state.with_name(f"{state.name}.log")),
        **{key: _run_default(key) if value is None else value for key, value in given.items()},
    }


def _run_default(key: str) -> Any:
    return Config.model_fields[key].default


def _given(
    kind: type[StageSettings], parser: StageParser, args: argparse.Namespace
) -> Iterator[tuple[str, Values]]:
    """What the options set, and which option it was; later ones win."""
    if args.settings is not None and args.settings.startswith("{"):
        yield "--settings", mapping(args.settings, "--settings")
    elif args.settings is not None:
        yield args.settings, read_yaml(Path(args.settings))
    for dest, shortcut in parser.shortcuts.items():
        value = getattr(args, dest)
        if value is not None:
            for key, constant in shortcut.also.items():
                yield f"--{dest.replace('_', '-')}", _nested(key, constant)
            plain = str(value) if isinstance(value, Path) else value
            yield f"--{dest.replace('_', '-')}", _nested(shortcut.key, plain)
    if args.seed is not None:
        yield "--seed", _nested(_seed_key(kind), args.seed)
    for text in args.set or ():
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UserError(f"--set: found {text!r}, expected KEY=VALUE")
        yield "--set", _nested(key, parse_yaml(value, f"--set {key}"))


def _seed_key(kind: type[StageSettings]) -> str:
    keys = [key.path for key in keys_of(kind)]
    found = [key for key in keys if key.rpartition(".")[2] == "seed"]
    if not found:
        raise UserError(f"--seed: stage {kind.stage} draws no random numbers; leave it out")
    return found[0]


def _nested(key: str, value: Any) -> Values:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _merge(into: Values, other: Mapping[str, Any]) -> None:
    """Keys of groups one by one, all else replaced."""
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _refuse_elsewhere(kind: type[StageSettings], source: str, values: Values) -> None:
    """A key that is taken and then not read would be a silent mistake."""
    for key in kind.elsewhere:
        inner: Any = values
        for part in key.split("."):
            inner = inner.get(part) if isinstance(inner, dict) else None
        if inner is not None:
            raise UserError(
                f"{source}: {key} is not read by {kind.stage}: its inputs or another stage decide "
                "that; leave it out"
            )


def _join_inputs(values: Values, parser: StageParser, args: argparse.Namespace) -> None:
    """Inputs and the group of settings that is of no use without any of them come together."""
    for group in dict.fromkeys(parser.groups_of_inputs.values()):
        inputs = [dest for dest, own in parser.groups_of_inputs.items() if own == group]
        if all(getattr(args, dest) is None for dest in inputs):
            if values.get(group) is not None:
                flags = " or ".join(f"--{dest.replace('_', '-')}" for dest in inputs)
                raise UserError(f"{flags} is missing: {group} is set, which needs it")
        elif values.get(group) is None:
            values[group] = {}
