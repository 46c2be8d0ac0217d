"""Values of consecutive numbers, made in threads while earlier ones are used."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
_WAITING_PER_THREAD = 2


class Ahead(Generic[T]):
    """`make(n)` of numbers that are asked for in rising order.

    `make` may depend on its number only: then nothing depends on the number of threads. Without
    threads a value is made when it is asked for.
    """

    def __init__(self, make: Callable[[int], T], stop: int, threads: int) -> None:
        """Numbers lie below `stop`."""
        self._make, self._stop = make, stop
        self._pool = ThreadPoolExecutor(threads) if threads else None
        self._depth = 1 + _WAITING_PER_THREAD * threads
        self._coming: dict[int, Future[T]] = {}

    def __call__(self, number: int) -> T:
        """The value of a number; those that follow are begun."""
        if self._pool is None:
            return self._make(number)
        for n in [n for n in self._coming if n < number]:
            self._coming.pop(n).cancel()
        for n in range(number, min(number + self._depth, self._stop)):
            if n not in self._coming:
                self._coming[n] = self._pool.submit(self._make, n)
        return self._coming.pop(number).result()
