"""The real workflow through the real executor, under the LSF stand-in.

The faults that matter most, once each; tests/cluster/lsf_faults.py has all of them, many times.
"""

import csv
import json
import re
import shutil
from collections import Counter

import pytest
import yaml
from lsf.cluster import Cluster
from lsf.scenarios import OPTIONS, PLACE, ROOM, SCENARIOS, play, start, unfinish, wait_for
from workspace import REPOSITORY, digests

HISTORY = f"results/{PLACE}/discriminator_history.csv"
CHOSEN = [
    ("UNKWN for ever, the job runs on", "train_discriminator", 3.0),
    ("bsub fails after the job was accepted", "sample_fake", 0.0),
    ("node dies, job is EXIT", "train_discriminator", 4.0),
    ("Snakemake killed, its jobs run on", "train_discriminator", 2.0),
]

TWO = ("micro", "next")


@pytest.fixture
def cluster(tmp_path):
    """Three nodes with two GPUs each."""
    cluster = Cluster.create(tmp_path / "cluster", hosts=ROOM, closed_projects=["closed"])
    yield cluster
    cluster.stop()


def said(run):
    return (run / "snakemake.txt").read_text()


@pytest.mark.parametrize(("fault", "rule", "moment"), CHOSEN)
def test_after_a_fault_the_results_are_the_same(finished_copy, tmp_path, fault, rule, moment):
    scenario = next(one for one in SCENARIOS if one.fault == fault)
    assert play(scenario, finished_copy, tmp_path / "cluster", rule, moment) == "identical"


def test_jobs_get_what_the_profile_and_the_rules_say(finished_copy, cluster):
    unfinish(finished_copy, "sample_fake")
    unfinish(finished_copy, "train_discriminator")
    cluster.break_command("bjobs", "down", calls=3)
    gpu = ("--set-resources", "train_discriminator:gpu=1", "train_discriminator:mem_mb=3000")
    snakemake = start(finished_copy, cluster, HISTORY, *gpu, "--set-threads", "sample_fake=2")
    assert snakemake.wait(120) == 0, said(finished_copy)
    sample, train = cluster.jobs()
    assert (sample.asked.queue, sample.asked.gpus, sample.asked.slots) == ("normal", 0, 2)
    assert (sample.asked.memory, sample.asked.run_limit) == (4000, 720)  # per slot
    assert (train.asked.queue, train.asked.gpus, train.asked.exclusive) == ("gpu", 1, True)
    assert (train.asked.memory, train.asked.project) == (3000, "default")
    assert "LSF is down" in said(finished_copy)


def test_a_group_is_one_job_and_its_retry_redoes_only_what_is_not_finished(finished_copy, cluster):
    run = finished_copy
    before = digests(run / "results")
    for rule, file in (("compare_models", "comparisons.json"), ("summarise", "evaluation.csv")):
        shutil.rmtree(run / "state" / "micro" / rule)
        (run / "results" / "micro" / file).unlink()
    log = run / "logs" / "micro" / "summarise.log"
    log.unlink()
    log.mkdir()  # where summarise cannot write, so that it fails
    snakemake = start(run, cluster, "results/micro/evaluation.csv")
    wait_for(lambda: any(job.state == "EXIT" for job in cluster.jobs()))
    log.rmdir()
    assert snakemake.wait(120) == 0, said(run)
    assert digests(run / "results") == before
    failed, *retried = cluster.jobs()
    assert [failed.state, retried[-1].state] == ["EXIT", "DONE"]
    for job in (failed, *retried):
        assert "group_verdict_micro:" in job.asked.name
        # run times along the chain are added up, of memory the most is asked for
        assert (job.asked.run_limit, job.asked.memory, job.asked.slots) == (150, 4000, 1)
        assert (job.asked.queue, job.asked.gpus) == ("normal", 0)
    text = (run / "logs" / "micro" / "compare_models.attempts.csv").read_text()
    outcomes = [row["outcome"] for row in csv.DictReader(text.splitlines())]
    assert outcomes[:2] == ["finished", "finished"]  # by the shared run, and by the job that failed
    assert set(outcomes[2:]) == {"already finished"}


def test_small_stages_of_an_experiment_share_jobs(finished):
    finished.config |= {"device": "cuda", "experiments": list(TWO)}
    # were there one group for all experiments, it would have to wait for itself
    finished.experiments["next"] = finished.experiments["micro"] | {"start_from": "micro@selected"}
    done = finished.snakemake(*OPTIONS, "--dry-run", "--forceall")
    assert done.returncode == 0, done.stdout + done.stderr
    plan = done.stdout + done.stderr
    groups = Counter(re.findall(r"Group job (\S+)", plan))
    assert groups == {f"{kind}_{name}": 1 for kind in ("reals", "verdict") for name in TWO}
    members = re.split(r"(?m)^ +(?=rule \w+:$)", plan)[1:]
    assert Counter(member.split(":")[0] for member in members) == {
        "rule encode_real": 4,
        "rule compare_models": 2,
        "rule summarise": 2,
        "rule select_best": 2,
    }
    asked = re.findall(r"(?m)^ +rule (\w+):$[^[]*? resources: (.*)$", plan)
    assert len(asked) == len(members)
    assert not [rule for rule, resources in asked if " gpu=" in resources]


def test_an_edit_while_jobs_wait_reaches_no_job(finished_copy, cluster):
    run, rule = finished_copy, "train_discriminator"
    before = digests(run / "results")
    unfinish(run, rule)
    cluster.disturb(f"rule_{rule}:", "suspend_pending")
    snakemake = start(run, cluster, HISTORY)
    wait_for(lambda: cluster.jobs())
    planned = json.loads((run / "state" / PLACE / rule / "job.json").read_text())
    run.experiments["micro"]["discriminator"]["epochs"] = 5
    run.write()
    cluster.release(cluster.jobs()[0].id)
    assert snakemake.wait(120) == 0, said(run)
    record = json.loads((run / "results" / PLACE / "settings" / f"{rule}.json").read_text())
    assert record["settings"] == planned["settings"]
    assert digests(run / "results") == before
    run.experiments["micro"]["discriminator"]["epochs"] = 2
    assert run.plan() == set()


@pytest.mark.parametrize(
    ("option", "parts"),
    [
        ("sample_fake:lsf_queue=nowhere", ["no queue 'nowhere'", "sample_fake", "lsf_queue"]),
        ("sample_fake:gpu=5", ["gpu=5, but", "sample_fake", "has 4", "gpus_per_node"]),
    ],
)
def test_what_lsf_cannot_run_is_refused_before_anything_is(finished_copy, cluster, option, parts):
    unfinish(finished_copy, "sample_fake")
    target = f"results/{PLACE}/fake_latents.h5"
    assert start(finished_copy, cluster, target, "--set-resources", option).wait(60) == 1
    (line,) = [line for line in said(finished_copy).splitlines() if parts[0] in line]
    assert all(part in line for part in parts)
    assert "Traceback" not in said(finished_copy)
    assert cluster.jobs() == []


def test_a_refusal_of_bsub_is_one_line_and_no_retry(finished_copy, cluster):
    unfinish(finished_copy, "sample_fake")
    target, project = f"results/{PLACE}/fake_latents.h5", "sample_fake:lsf_project=closed"
    assert start(finished_copy, cluster, target, "--set-resources", project).wait(60) == 1
    (line,) = [line for line in said(finished_copy).splitlines() if "aborted by esub" in line]
    assert "rule sample_fake" in line
    assert "queue normal" in line
    assert "Traceback" not in said(finished_copy)


def test_lsf_that_is_not_there_is_one_line(finished_copy, cluster):
    (cluster.bin / "badmin").write_text("#!/bin/sh\nexit 127\n")
    unfinish(finished_copy, "sample_fake")
    assert start(finished_copy, cluster, f"results/{PLACE}/fake_latents.h5").wait(60) == 1
    (line,) = [line for line in said(finished_copy).splitlines() if "badmin showconf" in line]
    assert "module load lsf" in line
    assert "Traceback" not in said(finished_copy)


def test_the_profile_plans_without_a_cluster(finished):
    done = finished.snakemake(*OPTIONS, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr


def test_the_profile_names_every_resource_that_the_executor_reads():
    profile = yaml.safe_load((REPOSITORY / "profiles" / "lsf" / "config.yaml").read_text())
    site = profile["default-resources"]
    unread = {"disk_mb"}  # named for Snakemake's sake alone
    assert set(site) - unread == {
        "lsf_project", "lsf_queue", "lsf_gpu_queue", "lsf_gpu", "gpus_per_node"
    }  # fmt: skip
    assert "{gpu}" in site["lsf_gpu"]
