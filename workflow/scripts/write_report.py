"""Write one HTML page on the configured experiments: verdicts, samples, curves, figures, times.

Writes OUTPUT.html, which needs no network, and OUTPUT.csv, the table of all experiments; those on
volumes have theirs in OUTPUT_volumes.csv. It reads what is there and starts no job: of unfinished
experiments it says how far they are. Options after `--` go to snakemake, which is asked for the
round graph, for example:
write_report.py -- --profile profiles/lsf
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from sparring.artefacts.atomic import write_text
from sparring.errors import UserError
from sparring.graph import to_svg
from sparring.graph.asking import RefusedError, present_graph
from sparring.report import collect, page_of, sweep_csv, volumes_csv, volumes_file
from sparring.report.page import Graph
from sparring.rounds import load_rounds
from sparring.settings.reading import read_yaml


def round_graph(options: list[str]) -> Graph:
    """The graph with its states; where snakemake refuses, why there is none."""
    try:
        graph, states = present_graph(options)
    except RefusedError as refused:
        said = (refused.errors or refused.output).strip().splitlines() or ["nothing was said"]
        return Graph(problem=f"snakemake {' '.join(refused.options)}: {said[-1]}")
    stale = Counter(node.group for node in graph.nodes if states[node.id] == "stale")
    return Graph(to_svg(graph, states), dict(stale))


def write(args: argparse.Namespace) -> None:
    """Both files."""
    config = read_yaml(args.configfile)
    options = [f"--configfile={args.configfile}", *args.options]
    if args.experiments:
        config["experiments"] = args.experiments
        options += ["--config", f"experiments=[{','.join(args.experiments)}]"]
    rounds = load_rounds(config, source=str(args.configfile))
    output = args.output or Path(rounds.config.results) / "report.html"
    table = output.with_suffix(".csv")
    experiments, shared = collect(rounds)
    graph = Graph() if args.no_graph else round_graph(options)
    page = page_of(experiments, shared, graph, str(args.configfile), table.name)
    write_text(table, sweep_csv(experiments))
    tables = [table]
    if any(shown.volumes for shown in experiments):
        tables.append(volumes_file(table))
        write_text(tables[-1], volumes_csv(experiments))
    write_text(output, page)
    for shown in experiments:
        warning = f"{shown.warning}. " if shown.warning else ""
        print(f"{shown.name}: {warning}{shown.verdict.sentence}")
    print(f"{output} ({len(page.encode()) / 1e6:.1f} MB), {', '.join(map(str, tables))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--configfile", type=Path, default=Path("config/config.yaml"), help="as for snakemake"
    )
    parser.add_argument(
        "--experiments", nargs="+", metavar="NAME", help="these, whatever the configuration names"
    )
    parser.add_argument("--output", type=Path, help="page to write (default: results/report.html)")
    parser.add_argument("--no-graph", action="store_true", help="leave the round graph out")
    parser.add_argument("options", nargs="*", help="options for snakemake, after --")
    try:
        write(parser.parse_args())
    except UserError as error:
        sys.exit(str(error))
