"""The one exception that users are meant to see."""


class UserError(Exception):
    """Something a user can mend: a key, a file, a machine without the GPU that was asked for.

    The message is one line that says what is wrong and where, what was found, what was expected
    and the way out. Programs print it without a traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        # Causes that libraries report may span lines.
        super().__init__(" ".join(message.split()))
