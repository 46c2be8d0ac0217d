"""Kill a small run again and again at random moments; it must end with the same bytes.

    python tests/torture.py --kills 60

Signals SIGKILL, SIGTERM and SIGUSR2 go in turn to a running stage or, every fourth time, SIGKILL to
Snakemake itself, whose jobs then go on alone while the next Snakemake starts. Results are compared
with those of an undisturbed run; nothing half-written may be left, and nothing is deleted by hand.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from workspace import LOCAL, SNAKEFILE, Workspace, digests

from sparring.artefacts.lock import read_lock

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR2)
LONGEST_WAIT_SECONDS = 9.0  # a stage computes about four seconds after its start


@dataclass
class Torture:
    """Runs a workspace to its end through a number of kills."""

    workspace: Workspace
    kills: int
    seed: int = 0
    sent: Counter = field(default_factory=Counter)

    def run(self, *targets: str) -> int:
        """How often snakemake had to be started."""
        self.workspace.write()
        draw = random.Random(self.seed)
        for starts in range(1, 10 * self.kills + 10):
            self._snakemake("--unlock").wait()
            process = self._snakemake(*targets)
            while process.poll() is None:
                self._wait(process, draw.uniform(0.5, LONGEST_WAIT_SECONDS))
                if process.poll() is None and self.sent.total() < self.kills:
                    self._kill(process, draw)
            if process.returncode == 0:
                return starts
        raise AssertionError(f"not finished after {starts} starts of snakemake")

    def _snakemake(self, *options: str) -> subprocess.Popen:
        run = self.workspace
        files = (f"--snakefile={SNAKEFILE}", f"--configfile={run.settings / 'config.yaml'}")
        command = [sys.executable, "-m", "snakemake", "--nocolor", f"--directory={run.directory}"]
        with open(run / "snakemake.out", "a") as out:
            return subprocess.Popen(
                [*command, *files, *LOCAL, "--retries", "0", *options],
                cwd=run.directory, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _wait(self, process: subprocess.Popen, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

    def _kill(self, snakemake: subprocess.Popen, draw: random.Random) -> None:
        number = SIGNALS[self.sent.total() % len(SIGNALS)]
        stages = list(running_stages(self.workspace.directory))
        if (number == signal.SIGKILL and draw.random() < 0.75) or not stages:
            snakemake.kill()
            self.sent["SIGKILL to snakemake"] += 1
            return
        stage, pid = draw.choice(stages)
        with suppress(ProcessLookupError):  # it ended this moment
            os.kill(pid, number)
            self.sent[f"{number.name} to {stage}"] += 1


def running_stages(directory: Path) -> Iterator[tuple[str, int]]:
    """(rule, process number) of every stage that works in a run's directory."""
    for lock in directory.glob("state/**/lock"):
        holder = read_lock(lock.parent)
        if holder is not None and holder.process.pid and not holder.process.is_gone:
            yield lock.parent.name, holder.process.pid


def leftovers(directory: Path) -> list[str]:
    """What a finished run must not have: partial files, states, locks."""
    patterns = ("**/.aside-*", "**/aside-*", "**/.gone-*", "**/*.partial", "**/*.kept")
    patterns += ("state/**/checkpoint.pt", "state/**/parts", "state/**/lock*")
    return [str(p.relative_to(directory)) for pattern in patterns for p in directory.glob(pattern)]


def torture_whole_run(directory: Path, kills: int, seed: int) -> Torture:
    """Run the micro experiment undisturbed and tortured; AssertionError where they differ."""
    undisturbed, tortured = directory / "undisturbed", directory / "tortured"
    runs = []
    for folder in (undisturbed, tortured):
        folder.mkdir(parents=True)
        run = Workspace(folder, folder)
        run.config["checkpoint_minutes"] = 0.002  # so that a kill seldom means starting over
        run.experiments["micro"]["sampling"] |= {"shards": 2, "batch_size": 16}
        runs.append(run)
    done = runs[0].snakemake(*LOCAL)
    assert done.returncode == 0, done.stderr
    torture = Torture(runs[1], kills, seed)
    starts = torture.run()
    print(f"{torture.sent.total()} kills, {starts} starts of snakemake: {dict(torture.sent)}")
    assert digests(tortured / "results") == digests(undisturbed / "results")
    assert leftovers(tortured) == []
    return torture


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=60, help="at least so many (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    args = parser.parse_args()
    sent: Counter = Counter()
    for seed in range(args.seed, args.seed + 1000):
        with tempfile.TemporaryDirectory() as folder:
            sent += torture_whole_run(Path(folder), args.kills - sent.total(), seed).sent
        if sent.total() >= args.kills:
            break
    print(f"{sent.total()} kills; every run ended with the bytes of an undisturbed one")
