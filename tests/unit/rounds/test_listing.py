"""The list of jobs is what Snakemake plans, in an order in which they can run."""

from itertools import pairwise

import pytest
from workspace import job, planned_jobs

from sparring.rounds import load_rounds
from sparring.rounds.listing import all_jobs


def listed(project, *names):
    return [job(rule, **wildcards) for rule, wildcards in all_jobs(project.load(*names))]


def of_rule(jobs, rule):
    return [dict(wildcards) for name, wildcards in jobs if name == rule]


def test_no_job_is_listed_twice(project):
    project.adversarial("first")
    project.adversarial("second", start_from="first")
    jobs = listed(project, "first", "second")
    assert len(jobs) == len(set(jobs))


def test_experiments_share_their_data_and_their_start(project):
    project.adversarial("first")
    project.adversarial("second")
    jobs = listed(project, "first", "second")
    for rule in ("pack_layouts", "train_autoencoder", "encode_layouts", "pretrain_diffusion"):
        assert len(of_rule(jobs, rule)) == 1


def test_an_experiment_alone_brings_what_it_starts_from(project):
    project.adversarial("exp")
    assert of_rule(listed(project, "exp"), "pretrain_diffusion") == [{"experiment": "base"}]


def test_without_a_control_there_is_one_arm(project):
    project.adversarial("exp", control=False)
    arms = {w["arm"] for w in of_rule(listed(project), "finetune_diffusion")}
    assert arms == {"adversarial"}


@pytest.mark.parametrize("shards", [1, 3])
def test_fakes_come_from_one_job_or_from_shards_that_one_gathers(project, shards):
    project.adversarial("exp", sampling={"shards": shards, "batch_size": 4})
    jobs = listed(project)
    counts = [len(of_rule(jobs, r)) for r in ("sample_fake", "sample_fake_shard", "gather_fake")]
    assert counts == ([3, 0, 0] if shards == 1 else [0, 9, 3])


def sharded(workspace) -> None:
    """Two experiments, one of them sharded and started from the other, and an unused one."""
    more = {
        **workspace.experiments["micro"],
        "start_from": "micro",
        "iterations": 1,
        "control": False,
        "sampling": {"num_steps": 4, "batch_size": 32, "shards": 2},
    }
    workspace.experiments |= {"more": more, "unused": dict(workspace.experiments["base"])}
    workspace.config["experiments"] = ["micro", "more"]


@pytest.mark.parametrize("change", [None, sharded])
def test_what_is_listed_is_what_snakemake_would_run(workspace, monkeypatch, change):
    if change is not None:
        change(workspace)
    done = workspace.snakemake("--dry-run", "--forceall")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(workspace.directory)
    found = [job(rule, **w) for rule, w in all_jobs(load_rounds(workspace.config))]
    planned = planned_jobs(done.stdout + done.stderr)
    assert sorted(found) == sorted(planned)


def test_a_job_stands_after_what_it_needs(project):
    project.adversarial("exp", sampling={"shards": 2, "batch_size": 4})
    jobs = listed(project)
    order = {}
    for position, (rule, wildcards) in enumerate(jobs):
        order.setdefault((rule, dict(wildcards).get("iteration")), []).append(position)
    for n in ("0", "1", "2"):
        chain = ["sample_fake_shard", "gather_fake", "train_discriminator", "finetune_diffusion"]
        for earlier, later in pairwise(chain):
            assert max(order[earlier, n]) < min(order[later, n])
        if n != "0":
            before = str(int(n) - 1)
            assert max(order["finetune_diffusion", before]) < min(order["sample_fake_shard", n])
