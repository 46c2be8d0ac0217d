"""A running Slurm, and runs of the micro experiment on it."""

import pytest
import slurm_cluster
import slurm_runs


@pytest.fixture(scope="session")
def slurm():
    """The cluster of this machine: its module, with it up. Test processes share it."""
    if reason := slurm_cluster.reason_to_skip():
        pytest.skip(reason)
    with slurm_cluster.shared():
        yield slurm_cluster


@pytest.fixture
def start(slurm):
    """Start Snakemake on Slurm, in the background; whatever is left of it ends with the test."""
    runs = []

    def begin(workspace, *options):
        runs.append(slurm_runs.start(workspace, *options))
        return runs[-1]

    yield begin
    for run in runs:
        run.clear_away()


def pytest_terminal_summary(terminalreporter):
    """Faults, how often each was tried, and what came of it, as a table for the documentation."""
    rows = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            noted = dict(report.user_properties)
            if report.when == "call" and "fault" in noted:
                rows.setdefault(noted["fault"], []).append((outcome, noted.get("starts", 0)))
    if len(rows) < 2:  # not `make test-cluster`
        return
    terminalreporter.write_line(
        "\n| fault on Slurm | runs | identical results | starts of Snakemake |\n|---|---|---|---|"
    )
    for fault, runs in rows.items():
        same = sum(outcome == "passed" for outcome, _ in runs)
        starts = ", ".join(map(str, sorted({starts for _, starts in runs})))
        terminalreporter.write_line(f"| {fault} | {len(runs)} | {same} | {starts} |")
