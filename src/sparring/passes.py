"""One pass of a network: operator by operator, replayed as a CUDA graph, or compiled.

A small network on a fast GPU waits for Python between its kernels. A CUDA graph replays all kernels
of a pass at once, at the shapes that it was captured with. Where neither works, the operators run
one by one, and the log says why.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .compute import Compute

Function = Callable[..., Tensor]
logger = logging.getLogger(__name__)
_MOST_GRAPHS = 4  # each holds the memory of a pass


class Pass:
    """`function` of tensors, under the autocast and by the execution that `compute` names.

    Gradients reach the parameters of `model` where they are asked for. Weights may change between
    calls in place only. The result is the caller's: later calls leave it alone.
    """

    def __init__(self, function: Function, model: nn.Module, compute: Compute) -> None:
        self._plain = _Plain(function, model, compute)
        self._device = compute.device
        self._execution = compute.execution
        self._calls: dict[tuple[object, ...], int] = {}
        self._graphs: dict[tuple[object, ...], Function] = {}
        self._compiled: Function | None = None
        if self._execution == "graphs" and self._device.type != "cuda":
            self._fall_back("CUDA graphs need a GPU")

    def __call__(self, *inputs: Tensor) -> Tensor:
        """[...] of inputs without gradients of their own."""
        if self._execution == "eager":
            return self._plain(*inputs)
        try:
            if self._execution == "compiled":
                return self._compile(inputs)(*inputs)
            return self._graph(inputs)(*inputs)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # compilers and captures fail in many ways
            self._fall_back(" ".join(str(error).split())[:300] or type(error).__name__)
            return self._plain(*inputs)

    def _compile(self, inputs: tuple[Tensor, ...]) -> Function:
        if self._compiled is None:
            self._compiled = torch.compile(self._plain, dynamic=False)
            output = self._compiled(*inputs)
            if output.requires_grad:  # the backward is compiled when it is first needed: now
                learning = [p for p in self._plain.model.parameters() if p.requires_grad]
                torch.autograd.grad(output.sum(), learning, allow_unused=True)
        return self._compiled

    def _graph(self, inputs: tuple[Tensor, ...]) -> Function:
        """The graph of these shapes from their second call on: the last batch may come once."""
        shapes = (torch.is_grad_enabled(), *((x.shape, x.dtype) for x in inputs))
        self._calls[shapes] = self._calls.get(shapes, 0) + 1
        if shapes not in self._graphs:
            if self._calls[shapes] == 1 or len(self._graphs) == _MOST_GRAPHS:
                return self._plain
            with torch.cuda.device(self._device):
                self._graphs[shapes] = self._capture(inputs)
        return self._graphs[shapes]

    def _capture(self, inputs: tuple[Tensor, ...]) -> Function:
        if not torch.is_grad_enabled():
            return _replayed(self._plain, inputs)
        own = _Plain(self._plain.function, self._plain.model, self._plain.compute)
        graphed: Any = torch.cuda.make_graphed_callables(own, tuple(x.clone() for x in inputs))
        return lambda *given: graphed(*given).clone()

    def _fall_back(self, reason: str) -> None:
        logger.warning("execution %s: running operator by operator: %s", self._execution, reason)
        self._execution = "eager"


class _Plain(nn.Module):
    """The pass itself, as a module for what captures or compiles modules.

    Autocast begins and ends inside, so that a graph holds the casts of the weights too.
    """

    def __init__(self, function: Function, model: nn.Module, compute: Compute) -> None:
        super().__init__()
        self.function, self.model, self.compute = function, model, compute

    def forward(self, *inputs: Tensor) -> Tensor:
        with self.compute.autocast():
            return self.function(*inputs)


def _replayed(function: Function, inputs: tuple[Tensor, ...]) -> Function:
    """A graph of a pass without gradients."""
    held = [x.clone() for x in inputs]
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # what is chosen or allocated at a first call stays outside
        for _ in range(2):
            function(*held)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = function(*held)

    def replay(*given: Tensor) -> Tensor:
        for place, value in zip(held, given, strict=True):
            place.copy_(value)
        graph.replay()
        return output.clone()

    return replay
