"""Show how far a run is: per experiment and iteration what is done, running, failed, waiting.

Reads files only, so it works beside a running or dead Snakemake and while the scheduler is down.
"""

import argparse
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

from sparring.errors import UserError
from sparring.rounds import JobStatus, load_rounds, status_of
from sparring.settings.reading import read_yaml

ACTIVE = ("running", "died", "failed", "interrupted")


def title_of(job: JobStatus) -> str:
    """The heading that a job stands under."""
    w = job.wildcards
    if "iteration" in w:
        return f"{w['experiment']}, iteration {w['iteration']}"
    if "experiment" in w:
        return f"{w['experiment']}, " + ("judging" if job.rule != "pretrain_diffusion" else "start")
    return "data"


def lines(jobs: list[JobStatus], everything: bool) -> list[str]:
    """A heading per group; jobs that are done or wait are only counted unless all are wanted."""
    out = []
    for title, group in groupby(jobs, title_of):
        members = list(group)
        counts = Counter(job.state for job in members)
        shown = ", ".join(f"{count} {state}" for state, count in counts.items())
        out.append(f"{title}: {shown}")
        out += [f"  {job.outcome}" for job in members if job.outcome]
        for job in members:
            if everything or job.state in ACTIVE:
                out.append(f"  {job.state:<12}{job.name:<52}{job.detail}".rstrip())
                out += [f"  {'':<12}| {line}" for line in job.log_tail]
    return out


def show(config: Path, everything: bool) -> None:
    """Print the present state."""
    rounds = load_rounds(read_yaml(config), source=str(config))
    jobs = status_of(rounds)
    print("\n".join(lines(jobs, everything)))
    done = sum(job.state == "done" for job in jobs)
    print(f"{done} of {len(jobs)} jobs done")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--configfile", type=Path, default=Path("config/config.yaml"), help="as for snakemake"
    )
    parser.add_argument("--all", action="store_true", help="one line for every job")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="show again and again")
    args = parser.parse_args()
    try:
        show(args.configfile, args.all)
        while args.watch:
            time.sleep(args.watch)
            print("\033[2J\033[H", end="")
            show(args.configfile, args.all)
    except KeyboardInterrupt:
        pass
    except UserError as error:
        sys.exit(str(error))
