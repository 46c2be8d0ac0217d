"""What is written twice is equal: schema, keys, pins."""

import json
import re
import tomllib

import pytest
import yaml
from workspace import REPOSITORY

from sparring.settings.documentation import schema_text, with_keys


def test_the_schema_is_in_step_with_the_models():
    assert (REPOSITORY / "config" / "schema.json").read_text() == schema_text(), "run `make docs`"


def test_the_keys_in_the_readme_are_in_step_with_the_models():
    readme = (REPOSITORY / "config" / "README.md").read_text()
    assert with_keys(readme) == readme, "run `make docs`"


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
    names = {"pyyaml": "yaml", "pillow": "PIL"}
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


DOCUMENTS = [
    *("README.md", "CONTRIBUTING.md", "config/README.md"),
    *(str(path.relative_to(REPOSITORY)) for path in sorted((REPOSITORY / "docs").glob("*.md"))),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_pictures_and_headings_that_are_there(document):
    path = REPOSITORY / document
    for target in re.findall(r"\]\((?!http)([^)]+)\)", path.read_text()):
        name, _, anchor = target.partition("#")
        other = path.parent / name if name else path
        assert other.exists(), target
        assert not anchor or anchor in anchors(other.read_text()), target


def anchors(text):
    """What GitHub calls the headings of a document."""
    headings = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
