"""What jobs ask of Slurm: where the executor sends them, and what it refuses at once."""

import pytest
from slurm_jobs import made_group, made_job
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_steady_slurm import requests

LIMITS = {"cpu": 60.0, "gpu": 1440.0}


def test_gpu_jobs_go_where_gpus_are():
    site = {"slurm_partition": "cpu", "slurm_gpu_partition": "gpu", "slurm_gpu_model": "a100"}
    with_gpu, without = made_job(gpu=2, **site), made_job(gpu=0, **site)
    for job in (with_gpu, without):
        requests.send_to_gpus(job)
    assert with_gpu.resources.slurm_partition == "gpu"
    assert with_gpu.resources.gpu_model == "a100"
    assert without.resources.slurm_partition == "cpu"
    assert without.resources.get("gpu_model") is None  # it would ask for a GPU


def test_a_group_runs_on_one_node_where_gpus_are():
    site = {"slurm_partition": "cpu", "slurm_gpu_partition": "gpu", "gpu": 1, "nodes": 1}
    group = made_group([site | {"runtime": minutes} for minutes in (20, 30)])
    assert group.resources.nodes == 2  # what Snakemake makes of two members side by side
    for prepare in (requests.send_to_gpus, requests.keep_on_one_node):
        prepare(group)
    assert (group.resources.slurm_partition, group.resources.nodes) == ("gpu", 1)
    assert (group.resources.gpu, group.resources.runtime) == (2, 30)


def test_a_group_that_no_partition_lets_run_is_refused():
    member = {"slurm_partition": "cpu", "runtime": 40}
    requests.check_requests([made_group([member, member])], LIMITS)
    with pytest.raises(WorkflowError, match="group judge_measure: runtime is 80 min"):
        requests.check_requests([made_group([member], [member])], LIMITS)


def test_a_job_of_its_own_keeps_its_nodes():
    job = made_job(nodes=2)
    requests.keep_on_one_node(job)
    assert job.resources.nodes == 2


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (made_job(gpu=5, gpus_per_node=4), ("5", "gpus_per_node", "4")),
        (made_job(slurm_partition="gpux"), ("slurm_partition", "gpux", "cpu, gpu")),
        (made_job(slurm_partition="cpu,x"), ("slurm_partition", "'x'")),
        (made_job(gpu=1, slurm_partition="cpu", slurm_gpu_partition="a"), ("slurm_gpu_partition",)),
        (made_job(slurm_partition="cpu", runtime=61), ("runtime", "61", "cpu", "60")),
    ],
)
def test_what_could_never_start_is_refused_in_one_line(job, words):
    with pytest.raises(WorkflowError) as refusal:
        requests.check_requests([made_job(), job], LIMITS)
    message = str(refusal.value)
    assert "\n" not in message.strip()
    assert all(word in message for word in ("rule train", *words))


@pytest.mark.parametrize(
    "job",
    [
        made_job(),
        made_job(gpu=4, gpus_per_node=4, slurm_gpu_partition="gpu", runtime=1440),
        made_job(slurm_partition="cpu", slurm_gpu_partition="none", runtime=60),  # has no GPU
        made_job(slurm_partition="cpu,gpu", runtime=61),  # one of them is long enough
        made_job(local=True, slurm_partition="none"),
    ],
)
def test_what_can_start_passes(job):
    requests.check_requests([job], LIMITS)


def test_a_machine_without_slurm_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(requests.shutil, "which", lambda name: None)
    with pytest.raises(WorkflowError, match="sbatch, squeue, scancel: not found"):
        requests.check_commands()


def test_a_slurm_that_is_away_refuses_nothing():
    requests.check_requests([made_job(slurm_partition="gpux", runtime=10**6)], {})


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("5:00", 5),
        ("1:30:00", 90),
        ("2-00:00:00", 2880),
        ("1-12:00:30", 2160.5),
        ("infinite", float("inf")),
    ],
)
def test_time_limits_are_read_as_minutes(limit, expected):
    assert requests.minutes(limit) == expected
