"""YAML files into settings, and validation errors into one line."""

import difflib
import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from ..errors import UserError

_EXPONENT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; `1e-4` is a number here, as everybody means it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: found {type(data).__name__}, expected keys and values")
    return data


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
        return TypeAdapter(expected).validate_json(json.dumps(numbers(data)), strict=True)
    except ValidationError as error:
        raise UserError(_one_line(error, expected, source)) from error
    except TypeError as error:
        raise UserError(f"{source}: {error}") from error


def _one_line(error: ValidationError, expected: Any, source: str) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    key = ".".join(_keys(first["loc"]))
    last = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        text = f"unknown key {key!r}{_suggestion(last, expected)}"
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
    if parts[:1] and parts[0] in ("pretrain", "adversarial"):
        return parts[1:]
    if parts[:1] == ["datasets"] and len(parts) > 2 and parts[2] in ("manifest", "procedural"):
        return parts[:2] + parts[3:]
    return parts


def _kinds(problem: Any, expected: Any) -> str:
    tags = problem.get("ctx", {}).get("expected_tags")
    return tags or ", ".join(
        repr(part["properties"]["kind"]["const"])
        for part in TypeAdapter(expected).json_schema().get("$defs", {}).values()
        if "const" in part.get("properties", {}).get("kind", {})
    )


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggestion(key: str, expected: Any) -> str:
    close = difflib.get_close_matches(key, sorted(_all_keys(expected)), n=1)
    return f"; did you mean {close[0]!r}?" if close else "; config/README.md lists all keys"


def _all_keys(expected: Any) -> set[str]:
    """Every key that the type's schema knows, at any depth."""
    schema = TypeAdapter(expected).json_schema()
    definitions = [schema, *schema.get("$defs", {}).values()]
    return {key for part in definitions for key in part.get("properties", {})}
