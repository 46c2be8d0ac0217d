"""The one exception that users are meant to see."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something a user can mend: a key, a file, a machine without the GPU that was asked for.

    The message is one line that says what is wrong and where, what was found, what was expected
    and the way out. Programs print it without a traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        # Causes that libraries report may span lines.
        super().__init__(" ".join(message.split()))


@contextmanager
def one_line_exit() -> Iterator[None]:
    """For programs without a job: a UserError ends them with its line and status 2."""
    try:
        yield
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
