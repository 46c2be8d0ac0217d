"""What a sweep plans: members share data and encodings, and a new value plans its own jobs."""

import subprocess
import sys

from workspace import LOCAL, REPOSITORY, job

SHARED = {
    job("pack_layouts", dataset="tiny"),
    job("train_autoencoder", autoencoder="tiny"),
    job("encode_layouts", dataset="tiny", autoencoder="tiny"),
}


def pretrained(*names):
    return {job("pretrain_diffusion", experiment=name) for name in names}


def swept(run, **vary):
    run.experiments["seeds"] = {"kind": "sweep", "base": "base", "vary": vary}
    run.config["experiments"] = ["seeds"]
    return run


def test_members_share_data_and_encodings(workspace):
    """Neither the base nor the sweep itself is an experiment to run."""
    swept(workspace, seed=[1, 2])
    assert workspace.plan() == SHARED | pretrained("seeds__seed_1", "seeds__seed_2")


def test_a_sweep_of_rounds_from_a_sweep_of_starts(workspace):
    swept(workspace, seed=[1, 2])
    starts = ["seeds__seed_1", "seeds__seed_2"]
    vary = {"start_from": starts}
    workspace.experiments["chain"] = {"kind": "sweep", "base": "micro", "vary": vary}
    workspace.config["experiments"] = ["chain"]
    plan = workspace.plan()
    assert plan >= SHARED | pretrained(*starts)
    tuned = {dict(found)["experiment"] for rule, found in plan if rule == "finetune_diffusion"}
    assert tuned == {"chain__seeds_seed_1", "chain__seeds_seed_2"}
    assert len([found for found in plan if found[0] == "pretrain_diffusion"]) == 2


def test_a_new_value_plans_its_member_and_nothing_else(finished_copy):
    swept(finished_copy, seed=[1])
    assert finished_copy.plan() == pretrained("seeds__seed_1")
    done = finished_copy.snakemake(*LOCAL)
    assert done.returncode == 0, done.stderr
    assert finished_copy.plan() == set()
    swept(finished_copy, seed=[2, 1])
    assert finished_copy.plan() == pretrained("seeds__seed_2")
    status = show_status(finished_copy)
    assert "seeds__seed_1, start: 1 done" in status
    assert "seeds__seed_2, start: 1 waiting" in status


def show_status(run):
    program = REPOSITORY / "workflow" / "scripts" / "show_status.py"
    command = [sys.executable, str(program), "--configfile", str(run.settings / "config.yaml")]
    done = subprocess.run(command, cwd=run.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bad_value_stops_the_program_before_any_job(workspace):
    swept(workspace, seed=["many"])
    done = workspace.snakemake("--cores", "1")
    assert done.returncode != 0
    expected = ('seeds.yaml: seeds__many: seed: found "many"', "integer")
    lines = done.stderr.splitlines()
    assert sum(all(part in line for part in expected) for line in lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace / "results").exists()


def test_members_are_drawn(workspace, tmp_path):
    swept(workspace, seed=[1, 2])
    workspace.write()
    program = REPOSITORY / "workflow" / "scripts" / "draw_rounds.py"
    command = [sys.executable, str(program), "--output", str(tmp_path / "graph"), "--"]
    command += [f"--snakefile={REPOSITORY / 'Snakefile'}"]
    command += [f"--configfile={workspace.settings / 'config.yaml'}", *LOCAL]
    done = subprocess.run(command, cwd=workspace.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    svg = (tmp_path / "graph.svg").read_text()
    assert all(f"seeds__seed_{seed}" in svg for seed in (1, 2))
