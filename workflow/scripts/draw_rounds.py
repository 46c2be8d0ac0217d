"""Draw the round graph of the configured experiments, with what is done, stale or missing.

Writes OUTPUT.svg (open it in a browser) and OUTPUT.mmd (mermaid, for Markdown). Options after
`--` go to snakemake, for example: draw_rounds.py -- --configfile other.yaml
"""

import argparse
import subprocess
import sys
from pathlib import Path

from sparring.artefacts.atomic import write_text
from sparring.graph import to_mermaid, to_svg
from sparring.graph.dryrun import parse_dry_run, parse_summary


def ask_snakemake(*options: str) -> str:
    """What snakemake prints; its own message and status where it refuses."""
    command = [sys.executable, "-m", "snakemake", *options]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        sys.stderr.write(answer.stdout + answer.stderr)
        sys.exit(answer.returncode)
    return answer.stdout + answer.stderr


def draw(output: Path, options: list[str]) -> None:
    """Write both drawings and say how far the rounds have come."""
    graph = parse_dry_run(ask_snakemake("--dry-run", "--forceall", *options))
    states = parse_summary(ask_snakemake("--summary", *options), graph)
    write_text(output.with_suffix(".svg"), to_svg(graph, states))
    write_text(output.with_suffix(".mmd"), to_mermaid(graph, states))
    counts = {state: list(states.values()).count(state) for state in ("done", "stale", "missing")}
    shown = ", ".join(f"{count} {state}" for state, count in counts.items())
    print(f"{len(graph.nodes)} jobs ({shown}): {output.with_suffix('.svg')}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results/rounds"), help="path without ending"
    )
    parser.add_argument("options", nargs="*", help="options for snakemake, after --")
    args = parser.parse_args()
    draw(args.output, args.options)
