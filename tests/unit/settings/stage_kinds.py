"""Every stage there is, from whatever module of settings."""

import importlib
import pkgutil
from collections.abc import Iterator

import sparring.settings
from sparring.settings.stage_settings import StageSettings


def _below(kind: type[StageSettings]) -> Iterator[type[StageSettings]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("sparring.settings."):
            yield one
        yield from _below(one)


for module in pkgutil.iter_modules(sparring.settings.__path__, "sparring.settings."):
    importlib.import_module(module.name)

STAGE_KINDS = sorted(
    {kind for kind in _below(StageSettings) if "stage" in vars(kind)}, key=lambda k: k.stage
)
