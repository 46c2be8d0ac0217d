"""Experiments unrolled into rounds: which model enters where, what each job is told. Torch-free."""

from .checks import check_rounds
from .disk import disk_needed
from .jobs import freeze_job, job_files, stage_settings
from .loading import Rounds, load_rounds

__all__ = [
    "Rounds",
    "check_rounds",
    "disk_needed",
    "freeze_job",
    "job_files",
    "load_rounds",
    "stage_settings",
]
