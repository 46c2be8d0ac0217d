"""Which GPUs a job computes on where nobody hands them out: several jobs on one machine.

Schedulers set CUDA_VISIBLE_DEVICES to the devices of a job. Snakemake's local executor only counts
GPUs, so jobs agree among themselves: each holds a lock of the operating system per device, which
ends with the process.
"""

import fcntl
import logging
import os
import tempfile
import time
from pathlib import Path

from .artefacts.processes import scheduler_job
from .errors import UserError
from .interrupts import check_interrupts

logger = logging.getLogger(__name__)
_VARIABLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia/gpus")
_SECONDS_BETWEEN_LOOKS = 1.0
_held: dict[str, int] = {}
"""Open lock files by device, for as long as this process lives."""


def claim_gpus(count: int) -> None:
    """Let CUDA_VISIBLE_DEVICES name `count` GPUs that no other job here computes on.

    Waits until so many are free. What a scheduler has chosen is left as it is. To be called before
    CUDA is first used. Raises UserError where the machine has fewer.
    """
    devices = visible_gpus()
    if scheduler_job() or not devices:
        return
    if len(devices) < count:
        raise UserError(
            f"gpus: the job wants {count}, but this machine shows {len(devices)} "
            f"({','.join(devices)}); set gpus: {len(devices)} in the configuration"
        )
    while len(_held) < count:
        for device in devices:
            if len(_held) < count and device not in _held:
                _try_to_lock(device)
        if len(_held) < count:
            _let_go()  # or two jobs that want two each would wait for each other for ever
            check_interrupts()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.environ[_VARIABLE] = ",".join(_held)
    logger.info("computing on GPU %s of %s", ",".join(_held), ",".join(devices))


def visible_gpus() -> list[str]:
    """The GPUs that this process may use: what CUDA_VISIBLE_DEVICES names, else all."""
    named = os.environ.get(_VARIABLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    count = len(list(_DRIVER.iterdir())) if _DRIVER.is_dir() else 0
    return [str(index) for index in range(count)]


def _try_to_lock(device: str) -> None:
    name = device.replace("/", "_")  # older drivers name parts of a GPU MIG-GPU-UUID/1/0
    path = Path(tempfile.gettempdir()) / f"sparring-gpu-{name}-{os.getuid()}.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _held[device] = file
    except BlockingIOError:
        os.close(file)


def _let_go() -> None:
    while _held:
        os.close(_held.popitem()[1])
