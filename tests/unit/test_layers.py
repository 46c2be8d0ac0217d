"""Modules import only from layers below them, and nothing imports Snakemake."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sparring

ROOT = Path(sparring.__file__).parent

# A package may import from packages with a smaller number and from itself.
LAYERS = {
    "errors": 0,
    "interrupts": 0,
    "lean_imports": 0,
    "metrics": 0,
    "settings": 0,
    "artefacts": 1,
    "diffusion": 2,
    "losses": 2,
    "objectives": 2,
    "randomness": 2,
    "compute": 2,
    "ahead": 2,
    "devices": 2,
    "companions": 2,
    "distributed": 2,
    "progress": 2,
    "balance": 2,
    "models": 3,
    "data": 3,
    "sampling": 4,
    "inference": 4,
    "evaluation": 4,
    "training": 5,
    "stages": 6,
}
# Apart from the layers: what Snakemake imports in every job must stay light.
ROUNDS_MAY = {"settings", "artefacts", "errors", "balance", "objectives.table", "models.presets",
              "models.latent_scale",
              "data.manifest", "data.images",
              "data.volume_manifest", "data.volume_facts"}  # fmt: skip
# It reads what runs have left, on a login node too.
REPORT_MAY = {"settings", "metrics", "artefacts", "errors", "balance", "rounds", "report"}
APART = ("rounds", "graph", "report")
WITHIN_A_LAYER = {
    ("losses", "diffusion"), ("objectives", "diffusion"), ("settings", "errors"),
    ("compute", "distributed"), ("distributed", "companions"),
}  # fmt: skip
MODULES = sorted(ROOT.rglob("*.py"))
LAYERED = [m for m in MODULES if m.relative_to(ROOT).parts[0] not in APART]


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__")


def imports(path):
    """Absolute names of what a module imports, `sparring.` names with the module they name."""
    package = ["sparring", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = ROOT.joinpath(*module.split(".")[1:], alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                own = module.split(".")[0] == "sparring" and is_module
                yield f"{module}.{alias.name}" if own else module


def own_imports(path):
    """What a module imports of the package, without `sparring.`."""
    return [n.removeprefix("sparring.") for n in imports(path) if n.startswith("sparring.")]


def test_every_part_has_a_layer():
    parts = {m.relative_to(ROOT).parts[0].removesuffix(".py") for m in MODULES}
    assert parts - {"__init__", *APART} == set(LAYERS)


def test_imports_are_found():
    """The reading itself: relative, absolute, of a name and of a module."""
    assert "objectives.table" in own_imports(ROOT / "rounds" / "jobs.py")
    assert "artefacts.hdf5" in own_imports(ROOT / "artefacts" / "latents.py")
    assert "graph.nodes" in own_imports(ROOT / "graph" / "svg.py")
    assert "training.loop" in own_imports(ROOT / "stages" / "denoiser.py")
    # inside functions too
    assert "evaluation.layouts" in own_imports(ROOT / "stages" / "evaluation.py")


@pytest.mark.parametrize("module", LAYERED, ids=name_of)
def test_imports_point_downwards(module):
    part = module.relative_to(ROOT).parts[0].removesuffix(".py")
    if part == "__init__":
        assert not own_imports(module)
        return
    for imported in own_imports(module):
        other = imported.split(".")[0]
        allowed = other == part or (part, other) in WITHIN_A_LAYER
        assert allowed or LAYERS.get(other, 99) < LAYERS[part], f"{name_of(module)}: {imported}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_imports_snakemake(module):
    assert not [name for name in imports(module) if name.split(".")[0] == "snakemake"]


@pytest.mark.parametrize("module", sorted((ROOT / "rounds").glob("*.py")), ids=name_of)
def test_rounds_import_only_what_is_light(module):
    for imported in own_imports(module):
        parts = imported.split(".")
        names = {parts[0], ".".join(parts[:2])}
        assert parts[0] == "rounds" or names & ROUNDS_MAY, imported


@pytest.mark.parametrize("module", sorted((ROOT / "report").glob("*.py")), ids=name_of)
def test_the_report_imports_only_what_reads(module):
    assert {imported.split(".")[0] for imported in own_imports(module)} <= REPORT_MAY


@pytest.mark.parametrize("module", sorted((ROOT / "graph").glob("*.py")), ids=name_of)
def test_graph_imports_only_the_standard_library_and_itself(module):
    for imported in imports(module):
        assert imported.startswith("sparring.graph") or (
            imported.split(".")[0] in sys.stdlib_module_names
        ), imported


@pytest.mark.parametrize(
    "name", ["rounds", "graph", "report", "settings.stages", "objectives.table"]
)
def test_parsing_the_workflow_stays_light(name):
    """Every cluster job parses the workflow again: seconds of torch would be paid every time."""
    program = (
        f"import sys, sparring.{name}; "
        "print(*sorted({'torch', 'diffusers', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
