"""A batch in pieces that fit into memory."""

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from ..errors import UserError

T = TypeVar("T")
logger = logging.getLogger(__name__)


class MicroBatches:
    """Runs the samples of a batch some at a time; where memory runs out, fewer at a time.

    The batch stays what it is: what the pieces give is added up by the caller.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        """Samples at once; None while all of them fit."""

    def run(
        self,
        samples: Sequence[int],
        piece: Callable[[Sequence[int], float], T],
        forget: Callable[[], None],
    ) -> list[T]:
        """`piece(samples, share)` of each piece, which is that share of them.

        `forget` drops what earlier pieces of the same batch have left; it is called first of all,
        and when memory ran out. Raises UserError where a single sample is too large.
        """
        while True:
            forget()
            size = min(self.size or len(samples), len(samples))
            try:
                return [
                    piece(samples[start : start + size], len(samples[start : start + size]) /
                          len(samples))
                    for start in range(0, len(samples), size)
                ]  # fmt: skip
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._lower(size)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _lower(self, size: int) -> None:
        if size == 1:
            raise UserError(
                "memory ran out with a single patch at a time; set a smaller patch_size, fewer "
                "channels or base_channels, or run where there is more memory"
            )
        self.size = -(-size // 2)
        logger.warning(
            "memory ran out with %d patches at once: going on with %d, in as many pieces as the "
            "batch needs; the batch stays what it is",
            size,
            self.size,
        )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch could not allocate; on the CPU only the text tells."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or (
        "DefaultCPUAllocator" in text or "not enough memory" in text
    )
