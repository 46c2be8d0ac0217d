"""config/config.yaml: which experiments run, on which data, where results go."""

import re
from typing import Literal, TypeVar

from pydantic import Field, field_validator

from .autoencoder import AutoencoderSettings
from .base import Settings
from .dataset import DatasetSettings

Device = Literal["cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]
Execution = Literal["eager", "compiled"]
Tracker = Literal["none", "tensorboard"]

Names = TypeVar("Names", list[str], dict[str, object])

NAME = r"^[A-Za-z0-9_]+$"
_UNQUOTED = r"^[\w@%+=:,./-][\w@%+=:,./~-]*$"  # these folders stand in shell commands as they are
RESERVED_NAMES = {"datasets", "autoencoders", "latents"}


class Config(Settings):
    """The workflow's configuration file."""

    experiments: list[str] = Field(min_length=1)
    """Names of files under `experiments_dir`, without `.yaml`. What they start from joins in."""
    experiments_dir: str = "config/experiments"
    """Where experiment files lie."""
    results: str = Field("results", pattern=_UNQUOTED)
    """Outputs."""
    state: str = Field("state", pattern=_UNQUOTED)
    """What interrupted jobs resume from, and the settings that each job was planned with."""
    logs: str = Field("logs", pattern=_UNQUOTED)
    """One file per job, appended over attempts."""
    device: Device = "cuda"
    """Where training and sampling run. A job that asks for `cuda` where torch sees no GPU stops."""
    precision: Precision = "auto"
    """`auto` is bf16 autocast where the hardware has it, else fp32."""
    execution: Execution = "eager"
    """How networks are run: `eager` operator by operator, `compiled` by torch.compile. Where
    compiling fails, the log says why, and the job goes on eagerly; see docs/speed.md."""
    gpus: int = Field(1, ge=1)
    """GPUs of one training job; the batch is shared out among them. On the CPU: processes."""
    checkpoint_minutes: float = Field(5.0, ge=0)
    """Minutes between saves of a training job's state: what a killed job loses at most. Sampling
    saves after every batch."""
    wall_time_margin_minutes: float = Field(3.0, ge=0)
    """A job under LSF or Slurm saves its state and stops so long before its wall time."""
    lock_timeout_seconds: float = Field(60.0, gt=0)
    """A job on another machine whose heartbeat stood still for so long is taken for dead, and its
    work is taken over. On the same machine it is seen at once."""
    tracker: Tracker = "none"
    """`tensorboard` also writes the histories and sample grids, while they are made, as event files
    under `logs`; see docs/monitoring.md."""
    datasets: dict[str, DatasetSettings]
    """Datasets by name."""
    autoencoders: dict[str, AutoencoderSettings] = Field({})
    """Autoencoders of layouts by name."""

    @field_validator("experiments", "datasets", "autoencoders")
    @classmethod
    def _names(cls, value: Names) -> Names:
        for name in value:
            if not re.fullmatch(NAME, name):
                raise ValueError(f"name {name!r} may hold only letters, digits and _")
        return value


RUN_KEYS = (
    "device",
    "precision",
    "execution",
    "checkpoint_minutes",
    "wall_time_margin_minutes",
    "lock_timeout_seconds",
    "tracker",
)
"""How a job runs, not what comes out: what every job is told beside its stage's settings."""
