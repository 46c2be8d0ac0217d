"""What Snakemake itself says of the graph and of how far it is."""

import subprocess
import sys

from sparring.graph.dryrun import parse_dry_run, parse_summary
from sparring.graph.nodes import Graph, State


class RefusedError(Exception):
    """Snakemake ended with another status than 0."""

    def __init__(self, options: tuple[str, ...], status: int, output: str, errors: str) -> None:
        super().__init__(options, status)
        self.options, self.status, self.output, self.errors = options, status, output, errors


def present_graph(options: list[str]) -> tuple[Graph, dict[str, State]]:
    """Every job, and by its id how it stands. Raises RefusedError with what Snakemake printed."""
    graph = whole_graph(options)
    return graph, parse_summary(_ask("--summary", *options), graph)


def whole_graph(options: list[str]) -> Graph:
    """Every job, done or not. Raises RefusedError as `present_graph` does."""
    return parse_dry_run(_ask("--dry-run", "--forceall", *options))


def _ask(*options: str) -> str:
    command = [sys.executable, "-m", "snakemake", *options]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        raise RefusedError(options, answer.returncode, answer.stdout, answer.stderr)
    return answer.stdout + answer.stderr
