"""The drawing of the round graph says what Snakemake would run."""

import subprocess
import sys

from workspace import LOCAL, REPOSITORY, SNAKEFILE

from sparring.graph.dryrun import parse_dry_run, parse_summary

OPTIONS = ("--dry-run", "--forceall")


def graph_of(run):
    done = run.snakemake(*LOCAL, *OPTIONS)
    return parse_dry_run(done.stdout + done.stderr)


def states_of(run, graph):
    done = run.snakemake(*LOCAL, "--summary")
    return parse_summary(done.stdout + done.stderr, graph)


def test_every_planned_job_is_a_node(finished):
    graph = graph_of(finished)
    assert len(graph.nodes) == len(finished.plan("--forceall"))
    judged = graph.by_id["evaluate/micro/control/iteration_1"]
    assert (judged.group, judged.arm, judged.iteration) == ("micro", "control", 1)
    assert graph.by_id["encode_layouts/tiny/tiny"].group == "shared"
    assert graph.by_id["encode_real/micro/1"].arm == "adversarial"


def test_edges_follow_the_files(finished):
    edges = set(graph_of(finished).edges)
    tuned = "finetune_diffusion/micro/{}/{}".format
    assert (tuned("adversarial", 0), "sample_fake/micro/1") in edges
    assert (tuned("adversarial", 0), tuned("adversarial", 1)) in edges
    assert ("train_discriminator/micro/1", tuned("adversarial", 1)) in edges
    assert ("pretrain_diffusion/base", tuned("control", 0)) in edges
    assert not any("discriminator" in a and "control" in b for a, b in edges)


def test_states_are_done_stale_or_missing_as_snakemake_says(finished):
    finished.experiments["micro"]["overrides"] = [{"iteration": 1, "discriminator": {"epochs": 1}}]
    finished.experiments["micro"]["iterations"] = 3
    states = states_of(finished, graph_of(finished))
    assert states["train_discriminator/micro/0"] == "done"
    assert states["train_discriminator/micro/1"] == "stale"
    assert states["train_discriminator/micro/2"] == "missing"
    assert states["finetune_diffusion/micro/control/1"] == "done"
    assert "unknown" not in states.values()


def test_the_program_draws_svg_and_mermaid(finished, tmp_path):
    finished.write()
    command = [sys.executable, str(REPOSITORY / "workflow" / "scripts" / "draw_rounds.py")]
    command += ["--output", str(tmp_path / "graph"), "--", f"--snakefile={SNAKEFILE}"]
    command += [f"--configfile={finished.settings / 'config.yaml'}", *LOCAL]
    done = subprocess.run(command, cwd=finished.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    svg = (tmp_path / "graph.svg").read_text()
    assert all(f">iteration {n}<" in svg for n in (0, 1))
    assert (tmp_path / "graph.mmd").read_text().startswith("flowchart LR")
    assert "0 stale, 0 missing" in done.stdout


def test_a_refusal_reaches_the_user(workspace, tmp_path):
    workspace.experiments["micro"]["start_from"] = "nowhere"
    workspace.write()
    command = [sys.executable, str(REPOSITORY / "workflow" / "scripts" / "draw_rounds.py")]
    command += ["--output", str(tmp_path / "graph"), "--", f"--snakefile={SNAKEFILE}"]
    command += [f"--configfile={workspace.settings / 'config.yaml'}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "no experiment 'nowhere'" in done.stderr
    assert not (tmp_path / "graph.svg").exists()
