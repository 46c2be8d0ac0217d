"""What all settings models share."""

import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A group of keys: unknown keys refused, strict types, finite numbers, immutable."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def changed(self) -> dict[str, Any]:
        """The values that differ from their defaults, as plain JSON types.

        Leaving defaults out keeps finished work valid when a new key with a default appears.
        """
        return self.model_dump(mode="json", exclude_defaults=True)


def canonical_json(value: Any) -> str:
    """One spelling per value: sorted keys, no spaces, so that equal settings are equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
