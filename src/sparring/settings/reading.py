"""YAML files into settings, and validation errors into one line."""

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from ..errors import UserError

_EXPERIMENT_KINDS = ("pretrain", "finetune", "adversarial", "vqgan", "sweep")
_DATASET_KINDS = ("manifest", "procedural", "nifti", "phantoms")
_EXPONENT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice; YAML would silently take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        merge = "tag:yaml.org,2002:merge"
        named = [key for key, _ in node.value if key.tag != merge]
        keys = [self.construct_object(key, deep=deep) for key in named]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice!r} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; `1e-4` is a number here, as everybody means it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    return mapping(text, str(path))


def mapping(text: str, source: str) -> dict[str, Any]:
    """The keys and values that a YAML text spells."""
    data = parse_yaml(text, source)
    if not isinstance(data, dict):
        raise UserError(f"{source}: found {type(data).__name__}, expected keys and values")
    return data


def parse_yaml(text: str, source: str) -> Any:
    """What a YAML text spells, with `1e-4` still as text: see `numbers`."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error


def numbers(value: Any) -> Any:
    """YAML 1.1 reads `1e-4` as text; turn such text into the number it spells."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, str) and _EXPONENT.match(value):
        return float(value)
    return value


def validate(data: dict[str, Any], expected: Any, source: str) -> Any:
    """`data` as the pydantic type `expected`, or a UserError that names file, key and value."""
    for key in data:
        if not isinstance(key, str):
            raise UserError(f"{source}: key {key!r} is not text; put it in quotes")
    try:
        text = json.dumps(numbers(data), default=str)  # YAML also knows dates; no key takes one
        return TypeAdapter(expected).validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(_one_line(error, expected, source)) from error
    except TypeError as error:
        raise UserError(f"{source}: {error}") from error


def _one_line(error: ValidationError, expected: Any, source: str) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    key = ".".join(_keys(first["loc"]))
    if first["type"] == "extra_forbidden":
        text = f"unknown key {key!r}{_suggestion(first['loc'], expected)}"
    elif first["type"] == "missing":
        text = f"{key!r} is missing"
    elif first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        where = f"{key}." if key else ""
        found = first["input"].get("kind") if isinstance(first["input"], dict) else first["input"]
        text = f"{where}kind: found {_shown(found)}; expected one of {_kinds(first, expected)}"
    elif first["type"] == "value_error":
        text = f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}"
    else:
        text = f"{key}: found {_shown(first['input'])}; {_lower(first['msg'])}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{source}: {text}{more}"


def _keys(location: tuple[Any, ...]) -> list[str]:
    """The keys a user wrote: pydantic's path without the tags of discriminated unions."""
    parts = [str(part) for part in location]
    if parts[:1] and parts[0] in _EXPERIMENT_KINDS:
        return parts[1:]
    if parts[:1] == ["datasets"] and len(parts) > 2 and parts[2] in _DATASET_KINDS:
        return parts[:2] + parts[3:]
    if parts[:1] == ["dataset"] and len(parts) > 1 and parts[1] in _DATASET_KINDS:
        return parts[:1] + parts[2:]
    return parts


def _kinds(problem: Any, expected: Any) -> str:
    tags = problem.get("ctx", {}).get("expected_tags")
    return tags or ", ".join(
        sorted(
            repr(part["properties"]["kind"]["const"])
            for part in TypeAdapter(expected).json_schema().get("$defs", {}).values()
            if "const" in part.get("properties", {}).get("kind", {})
        )
    )


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggestion(location: tuple[Any, ...], expected: Any) -> str:
    """The closest key of the same group, else where in other groups a key of that name lies."""
    *group, key = _generic(location)
    schema = TypeAdapter(expected).json_schema()
    paths = list(dict.fromkeys(_paths(schema, schema.get("$defs", {}), str(location[0]))))
    siblings = [path[-1] for path in paths if path[:-1] == tuple(group)]
    close = difflib.get_close_matches(key, siblings, n=1)
    if not close:
        leaf = difflib.get_close_matches(key, [path[-1] for path in paths], n=1)
        close = [".".join(path) for path in paths if path[-1:] == tuple(leaf)]
    if not close:
        return "; config/README.md lists all keys"
    return f"; did you mean {' or '.join(repr(path) for path in close)}?"


def _generic(location: tuple[Any, ...]) -> list[str]:
    """A location without positions in lists, and with `<name>` for names that users choose."""
    keys = _keys(tuple(part for part in location if not isinstance(part, int)))
    if keys[0] in ("datasets", "autoencoders") and len(keys) > 2:
        keys[1] = "<name>"
    return keys


def _paths(
    schema: dict[str, Any], definitions: dict[str, Any], kind: str, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Every key below a schema, as the path to it; of experiments only those of one kind."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    of_kind = schema.get("discriminator", {}).get("mapping", {}).get(kind)
    union = [{"$ref": of_kind}] if of_kind else schema.get("oneOf", [])
    for part in [*union, *schema.get("anyOf", [])]:
        yield from _paths(part, definitions, kind, above)
    if isinstance(schema.get("items"), dict):
        yield from _paths(schema["items"], definitions, kind, above)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _paths(schema["additionalProperties"], definitions, kind, (*above, "<name>"))
    for key, part in schema.get("properties", {}).items():
        yield (*above, key)
        yield from _paths(part, definitions, kind, (*above, key))
