"""The device, the precision, the threads and the processes of a job."""

from dataclasses import dataclass

import torch

from .distributed import ALONE, Group
from .errors import UserError


@dataclass(frozen=True)
class Compute:
    """Where and how tensors are computed."""

    device: torch.device
    bf16: bool
    group: Group = ALONE

    def autocast(self) -> torch.autocast:
        """Networks run inside this; losses outside, in fp32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @property
    def description(self) -> str:
        """One line for logs."""
        precision = "bf16 autocast" if self.bf16 else "fp32"
        each = f"{self.device}, {precision}, {torch.get_num_threads()} CPU threads"
        return each if self.group.count == 1 else f"{self.group.count} processes, each: {each}"


def prepare(device: str, precision: str, threads: int, group: Group = ALONE) -> Compute:
    """Check that the device exists, set the thread count, resolve `auto` precision.

    The processes of a group have a GPU each and share out the threads.
    """
    torch.set_num_threads(max(1, threads // group.count))
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "device: found 'cuda' in the settings but torch sees no GPU here; run the job on a "
            "GPU node, or set `device: cpu` in config.yaml (by hand: --device cpu) to really train "
            "on the CPU"
        )
    bf16 = precision == "bf16" or (precision == "auto" and _has_fast_bf16(device))
    several = device == "cuda" and group.count > 1
    return Compute(torch.device(f"cuda:{group.rank}" if several else device), bf16, group)


def _has_fast_bf16(device: str) -> bool:
    """Whether bf16 arithmetic is done by the hardware rather than emulated."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
