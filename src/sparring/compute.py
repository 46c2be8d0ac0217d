"""The device, the precision, the threads and the processes of a job, and how it runs networks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from .distributed import ALONE, Group
from .errors import UserError
from .settings.config import Execution

M = TypeVar("M", bound=torch.nn.Module)
Function = Callable[..., Tensor]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compute:
    """Where and how tensors are computed."""

    device: torch.device
    bf16: bool
    group: Group = ALONE
    execution: Execution = "eager"
    """How a network's operators are run: see `Pass`."""

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


class Pass:
    """`function` of tensors, under the autocast and by the execution that `compute` names.

    Gradients reach the parameters of `model` where they are asked for. Weights may change between
    calls in place only. The result is the caller's: later calls leave it alone.
    """

    def __init__(self, function: Function, model: torch.nn.Module, compute: Compute) -> None:
        def plain(*inputs: Tensor) -> Tensor:
            with compute.autocast():
                return function(*inputs)

        self._plain, self._model = plain, model
        self._compiles = compute.execution == "compiled"
        self._on_gpu = compute.device.type == "cuda"
        self._compiled: Function | None = None
        self._tried: set[tuple[torch.Size, ...]] = set()

    def __call__(self, *inputs: Tensor) -> Tensor:
        """[...] of inputs without gradients of their own."""
        if self._compiles:
            try:
                output = self._compile(inputs)(*inputs)
                # On a GPU the next call writes its output to the same place.
                return output.clone() if self._on_gpu else output
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # compilers fail in many ways
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                logger.warning("execution compiled: running operator by operator: %s", reason)
                self._compiles, self._compiled = False, None
        return self._plain(*inputs)

    def _compile(self, inputs: tuple[Tensor, ...]) -> Function:
        if self._compiled is None:
            mode = "reduce-overhead" if self._on_gpu else "default"
            self._compiled = torch.compile(self._plain, dynamic=False, mode=mode)
        shapes = tuple(x.shape for x in inputs)
        if torch.is_grad_enabled() and shapes not in self._tried:
            self._try(self._compiled, inputs)
            self._tried.add(shapes)
        return self._compiled

    def _try(self, compiled: Function, inputs: tuple[Tensor, ...]) -> None:
        """Forward and backward, which would otherwise be compiled, and could fail, out of reach.

        On a GPU they are compiled at the first call, captured at the second, replayed at the third.
        """
        learning = [p for p in self._model.parameters() if p.requires_grad]
        for _ in range(3 if self._on_gpu else 1):
            output = compiled(*inputs)
            if output.requires_grad:
                torch.autograd.grad(output.sum(), learning, allow_unused=True)


def prepare(
    device: str,
    precision: str,
    threads: int,
    group: Group = ALONE,
    execution: Execution = "eager",
) -> Compute:
    """Check that the device exists, set the thread count, resolve the precision `auto`.

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
    place = torch.device(f"cuda:{group.rank}" if several else device)
    return Compute(place, bf16, group, execution)


def _has_fast_bf16(device: str) -> bool:
    """Whether bf16 arithmetic is done by the hardware rather than emulated."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
