"""Where jobs go: the queues and GPU requests that a site or a rule names."""

from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from .answers import NoAnswerError, ask

WAY_OUT = (
    "set lsf_queue, lsf_gpu_queue under default-resources in the profile, or for one rule with "
    "--set-resources RULE:lsf_queue=NAME (bqueues lists the queues)"
)


def gpu_request(job: Any) -> str:
    """The argument of `bsub -gpu`; empty for a job without GPU.

    WorkflowError: more GPUs than a node has, or a template that cannot be filled in.
    """
    gpus, most = job.resources.get("gpu") or 0, job.resources.get("gpus_per_node")
    if not gpus:
        return ""
    if most and gpus > most:
        raise WorkflowError(
            f"rule {job.name}: gpu={gpus}, but a node has {most} (gpus_per_node) and a job runs on "
            f"one node; ask for fewer with --set-resources {job.name}:gpu={most}"
        )
    template = str(job.resources.get("lsf_gpu", "num={gpu}"))
    try:
        return template.format(gpu=gpus)
    except (KeyError, IndexError, ValueError) as error:
        raise WorkflowError(
            f"lsf_gpu: found {template!r}, expected bsub's -gpu syntax with {{gpu}} for the number "
            "of GPUs, as in num={gpu}:mode=exclusive_process"
        ) from error


def queue_of(job: Any) -> str | None:
    """The queue that the site or the rule names."""
    if job.resources.get("gpu") and job.resources.get("lsf_gpu_queue"):
        return str(job.resources.lsf_gpu_queue)
    return job.resources.get("lsf_queue")


def is_unknown(queue: str) -> bool:
    """Whether LSF says that it has no such queue (or one of several: bsub -q "a b")."""
    try:
        said = ask("bqueues", "-w", *queue.split())
    except NoAnswerError:  # bsub will tell
        return False
    return "No such queue" in said.stdout + said.stderr
