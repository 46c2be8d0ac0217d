"""How long does planning take? Dry runs of growing numbers of iterations and experiments."""

import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from sparring.artefacts.atomic import write_text

ROOT = Path(__file__).parents[1]
SIZES = [(3, 1), (30, 1), (30, 10), (100, 10)]  # iterations, experiments


def write_config(folder: Path, iterations: int, experiments: int) -> Path:
    """A configuration of that size on procedural layouts."""
    names = [f"rounds_{n}" for n in range(experiments)]
    (folder / "experiments").mkdir()
    (folder / "experiments" / "stage1.yaml").write_text(
        "kind: pretrain\ndataset: procedural\nautoencoder: small\ndenoiser: {preset: unet_tiny}\n"
    )
    for name in names:
        (folder / "experiments" / f"{name}.yaml").write_text(
            f"kind: adversarial\nstart_from: stage1\niterations: {iterations}\nnum_samples: 500\n"
        )
    config = {
        "experiments": names,
        "experiments_dir": str(folder / "experiments"),
        "device": "cpu",
        "datasets": {"procedural": {"kind": "procedural"}},
        "autoencoders": {"small": {"dataset": "procedural"}},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def plan(iterations: int, experiments: int) -> tuple[int, float]:
    """Jobs planned and seconds taken, the best of three."""
    seconds, jobs = [], 0
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            config = write_config(Path(folder), iterations, experiments)
            command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules"]
            command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", folder]
            start = time.monotonic()
            answer = subprocess.run(
                [*command, "--configfile", str(config)], capture_output=True, text=True, check=True
            )
            seconds.append(time.monotonic() - start)
            said = (answer.stdout + answer.stderr).splitlines()
            jobs = int(next(line for line in said if line.startswith("total")).split()[1])
    return jobs, min(seconds)


if __name__ == "__main__":
    lines = [
        "# Time of a dry run",
        "",
        f"`python bench/dry_run.py`, {platform.machine()}, Python {platform.python_version()}; "
        "control arm on, best of three.",
        "",
        "| iterations | experiments | jobs | seconds |",
        "|---|---|---|---|",
    ]
    for size in SIZES:
        jobs, best = plan(*size)
        lines.append(f"| {size[0]} | {size[1]} | {jobs} | {best:.1f} |")
        print(lines[-1], flush=True)
    write_text(ROOT / "bench" / "results" / "dry_run.md", "\n".join(lines) + "\n")
