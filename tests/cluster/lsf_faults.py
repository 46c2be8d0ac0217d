"""Every fault of the LSF stand-in, many times, at random moments; prints a Markdown table.

    python tests/cluster/lsf_faults.py --runs 20 [--only "node dies"] [--part 1/2]

Each run samples the micro experiment's first fakes, or trains its first discriminator, through the
real executor and compares all results with an undisturbed run, byte by byte. Nothing is deleted by
hand on the way.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lsf.cluster import Cluster
from lsf.scenarios import ROOM, SCENARIOS, STAGES, Scenario, play, start
from workspace import LOCAL, Workspace, digests


def undisturbed(directory: Path) -> Workspace:
    """The micro experiment with stages of some seconds, run to its end on this machine."""
    run = _workspace(directory)
    done = run.snakemake(*LOCAL)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return run


def _workspace(directory: Path) -> Workspace:
    directory.mkdir(parents=True)
    run = Workspace(directory, directory)
    run.config["checkpoint_minutes"] = 0
    run.experiments["micro"]["discriminator"]["epochs"] = 100
    run.experiments["micro"]["sampling"] = {"num_steps": 20, "batch_size": 4}
    return run


def whole_experiment(finished: Workspace, scratch: Path) -> str:
    """All jobs of the experiment under the stand-in; "identical", or what is wrong."""
    run, cluster = _workspace(scratch / "run"), Cluster.create(scratch / "cluster", hosts=ROOM)
    try:
        code = start(run, cluster).wait()
    finally:
        cluster.stop()
    same = digests(run / "results") == digests(finished / "results")
    return "identical" if code == 0 and same else f"differs: see {scratch}"


def outcomes(scenario: Scenario, finished: Workspace, scratch: Path, runs: int) -> Counter[str]:
    """What came of some runs; the moments are random but the same in every table."""
    found: Counter[str] = Counter()
    moments = random.Random(scenario.fault)
    for number in range(runs):
        place = scratch / f"{number}"
        run = finished.copied(place / "run")
        rule = list(STAGES)[number % len(STAGES)]
        outcome = play(scenario, run, place / "cluster", rule, moments.uniform(0, 9))
        found[outcome.split(":")[0]] += 1
        if outcome == "identical":
            shutil.rmtree(place)
        else:
            print(f"{scenario.fault}: {outcome}\nsee {place}", file=sys.stderr)
    return found


def main() -> None:
    """Print the table; exit status 1 when any run did not end identically."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="runs of each fault (default: 20)")
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument(
        "--part", default="1/1", help="2/3: the second third of the faults, to share them out"
    )
    args = parser.parse_args()
    part, parts = map(int, args.part.split("/"))
    scratch = Path(tempfile.mkdtemp(prefix="lsf_faults_"))
    finished = undisturbed(scratch / "undisturbed")
    print("| fault | runs | results identical to an undisturbed run |\n|---|---|---|")
    outcome = whole_experiment(finished, scratch / "whole")
    print(f"| whole experiment, no fault | 1 | {int(outcome == 'identical')} |", flush=True)
    failed = outcome != "identical"
    for scenario in SCENARIOS[part - 1 :: parts]:
        if args.only in scenario.fault:
            place = scratch / scenario.fault.replace(" ", "_").replace(":", "").replace(",", "")
            found = outcomes(scenario, finished, place, args.runs)
            failed |= found["identical"] != args.runs
            print(f"| {scenario.fault} | {args.runs} | {found['identical']} |", flush=True)
    if failed:
        sys.exit(1)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
