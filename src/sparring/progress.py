"""Progress of long work: a bar on a terminal, plain log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

from .interrupts import check_interrupts

T = TypeVar("T")
_LINE_EVERY_SECONDS = 30.0
logger = logging.getLogger(__name__)


def progress(items: Iterable[T], what: str, total: int, unit: str = "it") -> Iterator[T]:
    """Pass items through and show how many of `total` are done and how long is left.

    After every item the work may end with InterruptedRun, where the job was asked to stop.
    """
    shown = _bar if sys.stderr.isatty() else _lines
    for item in shown(items, what, total, unit):
        yield item
        check_interrupts()


def _bar(items: Iterable[T], what: str, total: int, unit: str) -> Iterator[T]:
    yield from tqdm(items, desc=what, total=total, unit=unit, leave=False, delay=1.0)


def _lines(items: Iterable[T], what: str, total: int, _: str) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _LINE_EVERY_SECONDS and done < total:
            last = now
            left = (now - start) / done * (total - done)
            logger.info("%s: %d of %d, about %.0f s left", what, done, total, left)
