"""Experiments unrolled into rounds: which model enters where, what each job is told. Torch-free."""

from .checks import check_rounds
from .cleaning import removable
from .disk import disk_needed
from .jobs import forget_work, freeze_job, job_files, options_by_hand, stage_settings
from .limits import check_gpus, check_wall_time
from .loading import Rounds, load_rounds
from .provenance import final_denoiser, lineage
from .semantic import measures_layouts
from .status import JobStatus, status_of
from .vqgan import start_vqgan

__all__ = [
    "JobStatus",
    "Rounds",
    "check_gpus",
    "check_rounds",
    "check_wall_time",
    "disk_needed",
    "final_denoiser",
    "forget_work",
    "freeze_job",
    "job_files",
    "lineage",
    "load_rounds",
    "measures_layouts",
    "options_by_hand",
    "removable",
    "stage_settings",
    "start_vqgan",
    "status_of",
]
