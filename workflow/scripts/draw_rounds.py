"""Draw the round graph of the configured experiments, with what is done, stale or missing.

Writes OUTPUT.svg (open it in a browser) and OUTPUT.mmd (mermaid, for Markdown); with --plain the
second alone, without how far it is. Options after `--` go to snakemake, for example:
draw_rounds.py -- --configfile other.yaml
"""

import argparse
import sys
from pathlib import Path

from sparring.artefacts.atomic import write_text
from sparring.graph import to_mermaid, to_svg
from sparring.graph.asking import RefusedError, present_graph, whole_graph


def draw(output: Path, options: list[str]) -> None:
    """Write both drawings and say how far the rounds have come."""
    graph, states = present_graph(options)
    write_text(output.with_suffix(".svg"), to_svg(graph, states))
    write_text(output.with_suffix(".mmd"), to_mermaid(graph, states))
    counts = {state: list(states.values()).count(state) for state in ("done", "stale", "missing")}
    shown = ", ".join(f"{count} {state}" for state, count in counts.items())
    print(f"{len(graph.nodes)} jobs ({shown}): {output.with_suffix('.svg')}")


def draw_plain(output: Path, options: list[str]) -> None:
    """Write what there is to do, whether it is done or not."""
    graph = whole_graph(options)
    write_text(output.with_suffix(".mmd"), to_mermaid(graph, None))
    print(f"{len(graph.nodes)} jobs: {output.with_suffix('.mmd')}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results/rounds"), help="path without ending"
    )
    parser.add_argument("--plain", action="store_true", help="mermaid alone, without states")
    parser.add_argument("options", nargs="*", help="options for snakemake, after --")
    args = parser.parse_args()
    try:
        (draw_plain if args.plain else draw)(args.output, args.options)
    except RefusedError as refused:  # Snakemake's own message and status
        sys.stderr.write(refused.output + refused.errors)
        sys.exit(refused.status)
