"""What is written twice is equal: schema, keys, pins."""

import json
import re
import tomllib

import yaml
from workspace import REPOSITORY

from sparring.settings.documentation import schema_text, with_keys
from sparring.settings.old_names.documentation import with_old_names


def test_the_schema_is_in_step_with_the_models():
    assert (REPOSITORY / "config" / "schema.json").read_text() == schema_text(), "run `make docs`"


def test_the_keys_in_the_readme_are_in_step_with_the_models():
    readme = (REPOSITORY / "config" / "README.md").read_text()
    assert with_keys(readme) == readme, "run `make docs`"


def test_the_old_names_are_in_step_with_the_converter():
    document = (REPOSITORY / "docs" / "coming-from-scripts.md").read_text()
    assert with_old_names(document) == document, "run `make docs`"


def test_every_key_of_the_schema_is_documented():
    readme = (REPOSITORY / "config" / "README.md").read_text()
    schema = json.loads(schema_text())
    keys = {key for part in schema["$defs"].values() for key in part.get("properties", {})}
    assert {key for key in keys if f"`{key}`" not in readme} == set()


def test_the_conda_environment_pins_what_the_project_pins():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((REPOSITORY / "envs" / "sparring.yaml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == project["dependencies"]


def test_every_dependency_is_pinned_and_used():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = {"pyyaml": "yaml", "pillow": "PIL", "scikit-learn": "sklearn"}
    text = "\n".join(
        path.read_text()
        for folder in ("src", "rules", "workflow")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in (".py", ".smk")
    )
    for requirement in project["dependencies"]:
        name, version = requirement.split("==")
        assert version, requirement
        module = names.get(name, name.replace("-", "_"))
        assert re.search(rf"(?m)^\s*(import|from) {module}\b", text), f"{name} is not used"


def test_links_and_pictures_of_the_readme_exist():
    for document in (
        "README.md",
        "docs/rounds.md",
        "docs/objectives.md",
        "docs/evaluation.md",
        "docs/clusters.md",
        "docs/programs.md",
        "docs/monitoring.md",
        "docs/report.md",
        "docs/checkpoints.md",
        "docs/volumes.md",
        "docs/coming-from-scripts.md",
        "config/README.md",
        "CONTRIBUTING.md",
    ):
        path = REPOSITORY / document
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{document}: {target}"
