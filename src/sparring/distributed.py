"""One job on several GPUs of a machine: one process each, which share out every batch.

The stage's program is the main process. It starts the others with its own command line; all make
the same steps, each on its rows of the batch, and add up their gradients. The main process alone
validates, writes, keeps the lock and decides when to stop, so nothing must be agreed on: when it
ends, for whatever reason, the others end with it, and when another one fails, it stops.
"""

import json
import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, TypeVar

from .companions import PATIENCE_SECONDS, PORT, RANK, Others, end_with_parent
from .errors import UserError

if TYPE_CHECKING:  # jobs of one process, and those that only wait for a lock, start without torch
    import numpy as np
    from torch import Tensor
    from torch.distributed import TCPStore

    Rows = TypeVar("Rows", Tensor, np.ndarray)

T = TypeVar("T")
logger = logging.getLogger(__name__)

# Others wait for the main process while it validates and draws; who is dead is seen otherwise.
_TIMEOUT = timedelta(days=7)
_BUCKET = 2**24  # elements that are added up at once: 64 MB


class Group:
    """The processes of a job, seen from one of them. A group of one has nothing to share."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count

    @property
    def is_main(self) -> bool:
        """Whether this is the process that validates and writes."""
        return self.rank == 0

    def share(self, rows: "Rows") -> "tuple[Rows, float]":
        """This process's rows of a batch, and which part of the batch they are.

        Where no row is left for it, the first one, as a part of 0: all make the same computation.
        """
        own = rows[self.rank :: self.count]
        return (own, len(own) / len(rows)) if len(own) else (rows[:1], 0.0)

    def sum_(self, tensors: "Sequence[Tensor]") -> None:
        """Add up over the processes, in place; all of one dtype, on the device of the group."""

    def from_main(self, value: T) -> T:
        """The main process's value (as JSON) in all of them."""
        return value

    def finish(self) -> None:
        """All is computed: the main process goes on alone, the others end here."""


ALONE = Group()


def is_child() -> bool:
    """Whether the main process of a job has started this one: no lock, no log, no output."""
    return RANK in os.environ


@contextmanager
def processes(count: int, device: str) -> Iterator[Group]:
    """The processes of this job, `cpu` or one `cuda` device each; the others are started here.

    Raises UserError where there are fewer GPUs, and, from `Group.sum_`, where a process is lost.
    """
    if count == 1:
        yield ALONE
    elif is_child():
        end_with_parent()
        rank, port = int(os.environ[RANK]), int(os.environ[PORT])
        with _leaving_at_once():
            yield _Several(rank, count, _join(rank, count, device, port))
    else:
        _require_gpus(count, device)
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        others = Others(count, port)
        try:
            yield _Several(0, count, _join(0, count, device, port, listening, others), others)
        finally:
            others.end()
            if device == "cpu":  # NCCL would wait for those that are gone
                _take_apart()


class _Several(Group):
    """A group of more than one process, joined by torch.distributed."""

    def __init__(
        self, rank: int, count: int, store: "TCPStore", others: "Others | None" = None
    ) -> None:
        super().__init__(rank, count)
        self._store, self._others = store, others
        self._told = 0

    def sum_(self, tensors: "Sequence[Tensor]") -> None:
        import torch

        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            try:
                torch.distributed.all_reduce(flat)
            except RuntimeError as error:
                raise self._loss_behind(error) from error
            parts = flat.split([tensor.numel() for tensor in bucket])
            sums = [part.view_as(tensor) for part, tensor in zip(parts, bucket, strict=True)]
            torch._foreach_copy_(bucket, sums)

    def from_main(self, value: T) -> T:
        self._told += 1
        key = f"from_main/{self._told}"
        if self.is_main:
            self._store.set(key, json.dumps(value))
            return value
        return json.loads(self._store.get(key))

    def finish(self) -> None:
        _take_apart()
        if not self.is_main:
            sys.exit()

    def _loss_behind(self, error: RuntimeError) -> Exception:
        """A connection breaks before the status of the process at its other end is known."""
        if self._others is None:
            return error
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (loss := self._others.loss()) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return UserError(loss) if loss else error


def _join(
    rank: int,
    count: int,
    device: str,
    port: int,
    listening: socket.socket | None = None,
    others: Others | None = None,
) -> "TCPStore":
    """Meet the other processes; the main one listens on the port and has started them."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import check_cuda_p2p_ib_support
    from torch.distributed import TCPStore

    if device == "cuda":
        # First of all: GPUs may be in exclusive mode, and by default every process opens device 0.
        torch.cuda.set_device(rank)
        if not check_cuda_p2p_ib_support():  # some consumer cards; accelerate then asks for these
            os.environ |= {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"}
    store = TCPStore(
        "127.0.0.1",
        port,
        count,
        is_master=rank == 0,
        timeout=_TIMEOUT,
        wait_for_workers=False,
        master_listen_fd=listening.detach() if listening else None,
    )
    if others:
        others.wait_for(store)
    else:
        store.set(f"ready/{rank}", "")
    os.environ |= _place(rank, count, port)
    PartialState(cpu=device == "cpu", rank=rank, world_size=count, store=store, timeout=_TIMEOUT)
    return store


def _take_apart() -> None:
    """Before the interpreter ends, else threads of gloo may abort it."""
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _place(rank: int, count: int, port: int) -> dict[str, str]:
    """Variables in which accelerate looks for the place of this process among the others."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
    }


def _require_gpus(count: int, device: str) -> None:
    if device != "cuda":
        return
    import torch

    found = torch.cuda.device_count()
    if found < count:
        raise UserError(
            f"gpus: found {count} in the settings but torch sees {found} here; let the profile "
            "request as many per job, run on a node that has them, or lower `gpus`"
        )


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """On an error say what it was and end, without waiting for those that wait for this one."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, UserError)
        print(error if known else traceback.format_exc(), file=sys.stderr, flush=True)
        os._exit(2 if known else 1)


def _buckets(tensors: "Sequence[Tensor]") -> "Iterator[list[Tensor]]":
    """Runs of tensors of about `_BUCKET` elements."""
    ends = accumulate(tensor.numel() for tensor in tensors)
    for _, run in groupby(zip(tensors, ends, strict=True), lambda pair: pair[1] // _BUCKET):
        yield [tensor for tensor, _ in run]
