"""Write config/schema.json and the keys in config/README.md from the settings."""

from pathlib import Path

from sparring.artefacts.atomic import write_text
from sparring.settings.documentation import schema_text, with_keys

if __name__ == "__main__":
    config = Path(__file__).parents[2] / "config"
    write_text(config / "schema.json", schema_text())
    readme = config / "README.md"
    write_text(readme, with_keys(readme.read_text(encoding="utf-8")))
