"""The device, the precision and the threads of a job."""

from dataclasses import dataclass

import torch

from .errors import UserError


@dataclass(frozen=True)
class Compute:
    """Where and how tensors are computed."""

    device: torch.device
    bf16: bool

    def autocast(self) -> torch.autocast:
        """Networks run inside this; losses outside, in fp32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @property
    def description(self) -> str:
        """One line for logs."""
        precision = "bf16 autocast" if self.bf16 else "fp32"
        return f"{self.device}, {precision}, {torch.get_num_threads()} CPU threads"


def prepare(device: str, precision: str, threads: int) -> Compute:
    """Check that the device exists, set the thread count, resolve `auto` precision."""
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "device: found 'cuda' in the settings but torch sees no GPU here; run the job on a "
            "GPU node, or set `device: cpu` in config.yaml to really train on the CPU"
        )
    bf16 = precision == "bf16" or (precision == "auto" and _has_fast_bf16(device))
    return Compute(torch.device(device), bf16)


def _has_fast_bf16(device: str) -> bool:
    """Whether bf16 arithmetic is done by the hardware rather than emulated."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
