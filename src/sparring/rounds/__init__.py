"""Experiments unrolled into rounds: which model enters where, what each job is told. Torch-free."""

from .checks import check_rounds
from .cleaning import removable
from .disk import disk_needed
from .encodings import (
    autoencoder_directory,
    given_encodings,
    is_layouts_autoencoder,
    latents_file,
    packed_file,
)
from .jobs import forget_work, freeze_job, job_files, options_by_hand, stage_settings
from .joining import load_rounds
from .limits import check_gpus, check_wall_time
from .listing import logs_of_iteration
from .loading import ARMS, Rounds
from .provenance import final_denoiser, lineage
from .status import JobStatus, status_of
from .vqgan import start_vqgan

__all__ = [
    "ARMS",
    "JobStatus",
    "Rounds",
    "autoencoder_directory",
    "check_gpus",
    "check_rounds",
    "check_wall_time",
    "disk_needed",
    "final_denoiser",
    "forget_work",
    "freeze_job",
    "given_encodings",
    "is_layouts_autoencoder",
    "job_files",
    "latents_file",
    "lineage",
    "load_rounds",
    "logs_of_iteration",
    "options_by_hand",
    "packed_file",
    "removable",
    "stage_settings",
    "start_vqgan",
    "status_of",
]
