"""The keys of a stage for people who start it by hand, without an experiment around it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .documentation import Key, keys_of
from .stage_settings import StageSettings

_DEFAULTS: dict[str, Any] = {
    "seed": 42,
    "iteration": 0,
    "num_samples": 5000,
    "batch_size": 32,
    "grid": 16,
    "shard": 0,
    "shards": 1,
    "dataset": {"kind": "procedural"},
    "autoencoder": {"dataset": "by_hand"},
}
"""For keys without a default in a stage, because experiments always give them."""
_DEFAULTS_OF: dict[str, dict[str, Any]] = {"pack_volumes": {"dataset": {"kind": "phantoms"}}}


def defaults_by_hand(kind: type[StageSettings]) -> dict[str, Any]:
    """What is set where nobody sets it; a fresh copy."""
    required = {name for name, field in kind.model_fields.items() if field.is_required()}
    defaults = _DEFAULTS | _DEFAULTS_OF.get(kind.stage, {})
    known = {name: value for name, value in defaults.items() if name in required}
    return json.loads(json.dumps(known))


def keys_by_hand(kind: type[StageSettings]) -> Iterator[Key]:
    """Every key that a stage reads, with the default that it has by hand."""
    defaults = defaults_by_hand(kind)
    for key in keys_of(kind):
        if key.path in kind.elsewhere:
            continue
        value: Any = defaults
        for part in key.path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        known = key.default == "required" and value is not None
        yield replace(key, default=json.dumps(value)) if known else key
