"""What a denoiser costs, found by running it on tensors that have shapes but no data.

Nothing is computed and no memory taken, so the largest preset at any batch size is cheap to ask.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from ..artefacts.latents import Side, latent_shape
from ..settings.parts import DenoiserSettings
from .denoiser import Denoiser, build_denoiser, predict

# AdamW's two moments and the weight average: as large as the weights, all fp32.
_COPIES_BESIDE_WEIGHTS_AND_GRADIENTS = 3


@dataclass(frozen=True)
class Precisions:
    """Bytes, for each of the two precisions."""

    fp32: int
    bf16: int
    """With autocast: the weights stay fp32."""


@dataclass(frozen=True)
class Costs:
    """One denoiser at one latent shape and batch size."""

    parameters: int
    flop: int
    """One forward of one latent, two per multiply-add."""
    training: Precisions
    """Peak of a training step: weights, gradients, moments, average, and what forward and backward
    hold. Without the data, workspaces inside kernels and a GPU's context."""
    sampling: Precisions
    """Peak of a forward without gradients, likewise."""


def costs(settings: DenoiserSettings, channels: int, side: Side, batch_size: int) -> Costs:
    """Costs on latents `[batch_size, channels, side, side]`, or of three sides.

    UserError where the preset is for the other kind, or cannot halve the side often enough.
    """

    def build() -> Denoiser:
        return build_denoiser(settings, channels, side)

    shape = (batch_size, *latent_shape(channels, side))
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build().parameters())
    return Costs(
        parameters,
        count_flop(build, shape[1:]),
        Precisions(*(training_peak(build, shape, bf16) for bf16 in (False, True))),
        Precisions(*(sampling_peak(build, shape, bf16) for bf16 in (False, True))),
    )


def count_flop(build: Callable[[], torch.nn.Module], shape: tuple[int, ...]) -> int:
    """Floating-point operations of one forward of one latent `[C,H,W]`, two per multiply-add.

    Convolutions and matrix products are counted, attention's own two among them; normalisation,
    activations and sums are not. On the meta device attention is split into its products, while
    the fused kernel of the CPU would go uncounted.
    """
    with torch.device("meta"):
        model = build().eval()
        inputs = torch.empty(1, *shape), torch.empty(1, dtype=torch.long)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops()


def training_peak(build: Callable[[], torch.nn.Module], shape: tuple[int, ...], bf16: bool) -> int:
    """Most bytes held at once in a training step on latents of this shape `[B,C,H,W]`."""
    with FakeTensorMode(), Allocations() as allocations:
        model = build().train()
        weights = allocations.live
        # From the second step on the last step's gradients are still there in the forward.
        gradients = [torch.empty_like(p) for p in model.parameters()]
        for p, gradient in zip(model.parameters(), gradients, strict=True):
            p.grad = gradient
        del gradients, gradient
        training_step(model, *_batch(shape), bf16)
    return allocations.peak + _COPIES_BESIDE_WEIGHTS_AND_GRADIENTS * weights


def sampling_peak(build: Callable[[], torch.nn.Module], shape: tuple[int, ...], bf16: bool) -> int:
    """Most bytes held at once in a sampler's step on latents of this shape `[B,C,H,W]`."""
    with FakeTensorMode(), Allocations() as allocations, torch.no_grad():
        model = build().eval()
        x_t, _, timesteps = _batch(shape)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            predict(model, x_t, timesteps)
    return allocations.peak


def training_step(
    model: torch.nn.Module, x_t: Tensor, eps: Tensor, timesteps: Tensor, bf16: bool
) -> None:
    """Forward, noise loss and backward as in training; the gradients are left in the model.

    [B,C,H,W], [B,C,H,W], [B]. The old gradients go between forward and backward, as there.
    """
    with torch.autocast(x_t.device.type, torch.bfloat16, enabled=bf16):
        output = predict(model, x_t, timesteps)
    loss = (output - eps).square().mean()
    model.zero_grad(set_to_none=True)
    loss.backward()


class Allocations(TorchDispatchMode):
    """Follows the bytes of all tensors made while it is active, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        """Bytes held now."""
        self.peak = 0
        """Most bytes held at once."""
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in tree_iter(result):
            if isinstance(item, Tensor):
                self._follow(item.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        """Views share a storage and count once."""
        if storage in self._known:
            return
        self._known.add(storage)
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, storage.nbytes())

    def _free(self, size: int) -> None:
        self.live -= size


def _batch(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty(shape), torch.empty(shape), torch.zeros(shape[0], dtype=torch.long)
