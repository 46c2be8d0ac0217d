"""A directory with micro settings in which tests run the real `snakemake` program."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
SNAKEFILE = REPOSITORY / "Snakefile"
LOCAL = ("--profile", str(REPOSITORY / "profiles" / "local"), "--cores", "2")

CONFIG = {
    "experiments": ["micro"],
    "experiments_dir": "experiments",
    "device": "cpu",
    "precision": "fp32",  # alike on every machine, and comparable between batch sizes
    "datasets": {"tiny": {"kind": "procedural", "num_layouts": 160, "size": 32}},
    "autoencoders": {
        "tiny": {
            "dataset": "tiny",
            "input": "classes",
            "block_out_channels": [8, 8, 16],
            "epochs": 1,
        }
    },
}
EXPERIMENTS = {
    "base": {
        "kind": "pretrain",
        "dataset": "tiny",
        "autoencoder": "tiny",
        "denoiser": {"preset": "unet_tiny"},
        "diffusion": {"epochs": 1, "batch_size": 64, "sample_interval": 0},
    },
    "micro": {
        "kind": "adversarial",
        "start_from": "base",
        "iterations": 2,
        "control_time": False,  # results would hang on measured times, and a third arm takes long
        "num_samples": 64,
        "sampling": {"num_steps": 4},
        "adversarial": {"objective": "x0_bce"},
        "discriminator": {"epochs": 2, "num_layers": 3, "base_channels": 8},
        "diffusion": {
            "epochs": 3,
            "batch_size": 64,
            "eval_interval": 2,
            "sample_interval": 3,
            "sample_grid": {"num_samples": 4, "sampler": "ddim", "num_steps": 2},
            "selection_samples": 16,
            "selection_steps": 4,
        },
        "evaluation": {
            "num_samples": 64,
            "feature_dim": 8,
            "grid": 4,
            "judge_seeds": 2,
        },
    },
}

Job = tuple[str, tuple[tuple[str, str], ...]]


def job(rule: str, **wildcards: object) -> Job:
    """A planned job as `planned_jobs` names it."""
    return rule, tuple(sorted((key, str(value)) for key, value in wildcards.items()))


def planned_jobs(dry_run: str) -> list[Job]:
    """Rule and wildcards of every job but `all` in the text of a dry run, in its order."""
    return [planned for planned, _ in _blocks(dry_run)]


def shell_commands(dry_run: str) -> dict[Job, str]:
    """The command of every job in the text of a dry run with `--printshellcmds`."""
    return {
        planned: re.search(r"(?m)^Shell command: (.*)$", block).group(1)
        for planned, block in _blocks(dry_run)
    }


def _blocks(dry_run: str) -> Iterator[tuple[Job, str]]:
    """Every job with its part of the text."""
    for block in re.split(r"(?m)^(?=(?:local)?rule \w+:$)", dry_run)[1:]:
        rule = block.split(":", 1)[0].split()[1]
        line = re.search(r"(?m)^    wildcards: (.*)$", block)
        pairs = line.group(1).split(", ") if line else []
        if rule != "all":
            yield job(rule, **dict(pair.split("=", 1) for pair in pairs)), block


def _write_if_other(path: Path, text: str) -> None:
    """Processes that share a run may read the file at any moment."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


@dataclass
class Workspace:
    """A working directory and the settings it is run with, which may lie elsewhere."""

    directory: Path
    settings: Path
    config: dict = field(default_factory=lambda: deepcopy(CONFIG))
    experiments: dict = field(default_factory=lambda: deepcopy(EXPERIMENTS))

    def write(self) -> None:
        """Write config.yaml and the experiments."""
        folder = self.settings / "experiments"
        folder.mkdir(parents=True, exist_ok=True)
        self.config["experiments_dir"] = str(folder)
        for name, content in self.experiments.items():
            text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
            _write_if_other(folder / f"{name}.yaml", text)
        text = yaml.safe_dump(self.config, sort_keys=False)
        _write_if_other(self.settings / "config.yaml", text)

    def snakemake(self, *options: str, **environment: str) -> subprocess.CompletedProcess:
        """Run `snakemake` with these settings in this directory."""
        self.write()
        return run_snakemake(
            self.directory,
            f"--snakefile={SNAKEFILE}",
            f"--configfile={self.settings / 'config.yaml'}",
            *options,
            **environment,
        )

    def plan(self, *options: str) -> set[Job]:
        """What a dry run under profiles/local says would run."""
        done = self.snakemake(*LOCAL, "--dry-run", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        jobs = planned_jobs(done.stdout + done.stderr)
        assert len(jobs) == len(set(jobs))
        return set(jobs)

    def commands(self, *targets: str) -> dict[Job, str]:
        """The command of every job, finished or not."""
        done = self.snakemake("--dry-run", "--printshellcmds", "--forceall", *targets)
        assert done.returncode == 0, done.stderr
        return shell_commands(done.stdout + done.stderr)

    def varied(self, settings: Path) -> "Workspace":
        """The same directory with settings of its own, to change and only look."""
        return Workspace(
            self.directory, settings, deepcopy(self.config), deepcopy(self.experiments)
        )

    def copied(self, directory: Path) -> "Workspace":
        """A copy with Snakemake's metadata and time stamps, to change at will."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        return Workspace(directory, directory, deepcopy(self.config), deepcopy(self.experiments))

    def shell(self, command: str) -> subprocess.CompletedProcess:
        """Run a stage's command by hand."""
        return subprocess.run(
            command, shell=True, cwd=self.directory, capture_output=True, text=True
        )

    def __truediv__(self, path: str) -> Path:
        return self.directory / path


def run_snakemake(
    directory: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess:
    """Run the real program in a directory."""
    command = [sys.executable, "-m", "snakemake", "--nocolor", f"--directory={directory}"]
    return subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        cwd=directory,
        env=os.environ | environment,
    )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every result under a folder, by relative path; records of settings aside."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != "settings"
    }
