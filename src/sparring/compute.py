"""The device, the precision, the threads and the processes of a job."""

from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import torch
from torch import Tensor

from .distributed import ALONE, Group
from .errors import UserError

Execution = Literal["eager", "graphs", "compiled"]
M = TypeVar("M", bound=torch.nn.Module)


@dataclass(frozen=True)
class Compute:
    """Where and how tensors are computed."""

    device: torch.device
    bf16: bool
    group: Group = ALONE
    execution: Execution = "eager"
    """How a network's operators are run: see `passes`."""

    def place(self, model: M) -> M:
        """The model on the device, its weights as the fastest convolutions read them.

        bf16 units (AMX, tensor cores) want the channels last; fp32 on a CPU does not.
        """
        if not self.bf16:
            return model.to(self.device)
        of_volumes = any(p.ndim == 5 for p in model.parameters())
        last = torch.channels_last_3d if of_volumes else torch.channels_last
        return model.to(self.device, memory_format=last)  # type: ignore[call-overload]

    @property
    def threads_ahead(self) -> int:
        """Threads that prepare inputs beside the work; on a CPU they would take its cores."""
        return min(4, torch.get_num_threads()) if self.device.type == "cuda" else 0

    def send(self, tensor: Tensor) -> Tensor:
        """To the device without waiting for it; pinned tensors only."""
        return tensor.to(self.device, non_blocking=True)

    def pinned(self, tensor: Tensor) -> Tensor:
        """As `send` wants it."""
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def autocast(self) -> torch.autocast:
        """Networks run inside this; losses outside, in fp32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @property
    def description(self) -> str:
        """One line for logs."""
        precision = "bf16 autocast" if self.bf16 else "fp32"
        how = "" if self.execution == "eager" else f", {self.execution}"
        each = f"{self.device}, {precision}{how}, {torch.get_num_threads()} CPU threads"
        return each if self.group.count == 1 else f"{self.group.count} processes, each: {each}"


def prepare(
    device: str, precision: str, threads: int, group: Group = ALONE, execution: str = "auto"
) -> Compute:
    """Check that the device exists, set the thread count, resolve `auto`.

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
    if execution == "auto":  # no table of bench/gpu.py speaks for the others yet
        execution = "eager"
    place = torch.device(f"cuda:{group.rank}" if several else device)
    return Compute(place, bf16, group, cast(Execution, execution))


def _has_fast_bf16(device: str) -> bool:
    """Whether bf16 arithmetic is done by the hardware rather than emulated."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
