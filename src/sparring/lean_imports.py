"""Start-up without what a stage never uses.

`from diffusers.models.unets.unet_2d import UNet2DModel` runs the `__init__` of every package on its
way, which import each network and scheduler that diffusers has, what those import, and torch's
compiler: more than torch itself takes. `install` has those packages run their `__init__` when
something is first asked of them. It is for the programs, whose process is theirs alone.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
MODULES_ALONE = frozenset(
    {"diffusers.models.autoencoders", "diffusers.models.transformers", "diffusers.models.unets"}
)
"""Packages whose modules can be imported without them."""
LATER = MODULES_ALONE | {"scipy.integrate", "scipy.stats", COMPILER}


def install() -> None:
    """Run the packages of `LATER` on demand from now on; what was imported before is left alone."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds the packages of `LATER` where Python does, with a loader that waits."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None, which leaves it to the next finder, for nearly every other module."""
        if fullname in LATER:
            spec = PathFinder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Waiting(spec.loader)
            return spec
        package = sys.modules.get(fullname.rpartition(".")[0])
        if not isinstance(package, _Later) or package.__name__ in MODULES_ALONE:
            return None
        package.run_init()
        there = sys.modules.get(fullname)  # where the package has just imported it
        return None if there is None else ModuleSpec(fullname, _There(there))


class _Waiting(Loader):
    """Makes a package with a path, so that its modules can be imported, and without a content."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """What is there before the package has run."""
        module = _Later(spec.name)
        if spec.name == COMPILER:
            # Optimisers and decorators call these also where nothing is compiled: they do nothing.
            module.__dict__.update(allow_in_graph=_same, disable=_same, graph_break=_nothing)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Later: `_Later.run_init`."""


class _There(Loader):
    """Gives a module that has been imported meanwhile."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself, not another of its name."""
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing but to give back what importing has written into it."""
        module.__spec__ = self.spec


class _Later(ModuleType):
    """A package that runs when it is asked for a name that it does not have yet."""

    def run_init(self) -> None:
        """Run the package's own `__init__`; from then on it is a module as any."""
        assert self.__spec__ is not None
        assert isinstance(self.__spec__.loader, _Waiting)
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__spec__.loader = self.__loader__ = self.__spec__.loader.loader
        self.__spec__.loader.exec_module(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.run_init()
        return getattr(self, name)


def _same(function: Any = None, *_: object, **__: object) -> Any:
    return _same if function is None else function


def _nothing(*_: object, **__: object) -> None:
    pass
