"""A small stage in processes of its own, in a directory laid out as the workflow does."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("count_steps.py")


class Stage:
    """Plans and runs count_steps.py as Snakemake would."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.state = folder / "state" / "place" / "count_steps"
        self.results = folder / "results" / "place"
        self.log = folder / "logs" / "place" / "count_steps.log"
        self.output, self.table = self.results / "output.txt", self.results / "tables" / "table.txt"
        self.job, self.input = self.state / "job.json", folder / "input.txt"
        self._trace = folder / "trace"
        self.state.mkdir(parents=True)
        self.input.write_text("a")
        self.plan(steps=3)

    def plan(self, steps, timeout=60.0, margin=3.0, **settings) -> None:
        """Write what the job reads."""
        content = {
            "name": "place/count_steps",
            "settings": {"stage": "count_steps", "revision": 1, "steps": steps} | settings,
            "device": "cpu",
            "precision": "auto",
            "checkpoint_minutes": 5.0,
            "wall_time_margin_minutes": margin,
            "lock_timeout_seconds": timeout,
            "tracker": "none",
            "record": str(self.results / "settings" / "count_steps.json"),
            "log": str(self.log),
        }
        self.job.write_text(json.dumps(content))

    def start(self, *options, **environment) -> subprocess.Popen:
        """One copy of the job."""
        command = [sys.executable, str(PROGRAM), "--job", str(self.job), "--input", str(self.input)]
        command += ["--output", str(self.output), "--table", str(self.table), *options]
        outside = {k: v for k, v in os.environ.items() if k not in ("LSB_JOBID", "SLURM_JOB_ID")}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=outside | {"COUNT_TRACE": str(self._trace)} | environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options, **environment) -> tuple[int, list[str]]:
        """Exit status and what stood on stderr."""
        process = self.start(*options, **environment)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors.splitlines()

    @property
    def steps(self) -> list[int]:
        """All that were done, by whatever copy."""
        return [int(s) for s in self._trace.read_text().split()] if self._trace.exists() else []

    def wait_for_steps(self, count) -> None:
        deadline = time.monotonic() + 60
        while len(self.steps) < count:
            assert time.monotonic() < deadline, "it does not work"
            time.sleep(0.01)

    @property
    def attempts(self) -> list[str]:
        """How they ended."""
        with open(self.log.with_suffix(".attempts.csv"), newline="") as file:
            return [row["outcome"] for row in csv.DictReader(file)]

    @property
    def files(self) -> list[str]:
        """Those of results and state, kept links aside."""
        found = [p for root in (self.results, self.state) for p in root.rglob("*") if p.is_file()]
        return sorted(p.name for p in found if p.parent.name != "finished")


@pytest.fixture
def stage(tmp_path):
    """A planned job of three steps."""
    return Stage(tmp_path)


@pytest.fixture
def finished_files():
    """What a finished job leaves, by name, and nothing else."""
    return ["count_steps.json", "finished.json", "job.json", "output.txt", "table.txt"]
