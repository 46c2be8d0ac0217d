"""Write config/schema.json, the keys in config/README.md and the old names in
docs/coming-from-scripts.md from the settings."""

from pathlib import Path

from sparring.artefacts.atomic import write_text
from sparring.settings.documentation import schema_text, with_keys
from sparring.settings.old_names.documentation import with_old_names

if __name__ == "__main__":
    repository = Path(__file__).parents[2]
    config = repository / "config"
    write_text(config / "schema.json", schema_text())
    readme = config / "README.md"
    write_text(readme, with_keys(readme.read_text(encoding="utf-8")))
    coming = repository / "docs" / "coming-from-scripts.md"
    write_text(coming, with_old_names(coming.read_text(encoding="utf-8")))
