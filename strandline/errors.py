"""The two errors that cross process boundaries. Any other exception is a bug.

Step Functions and Batch match on the class name and on the exit code, so neither class is subclassed.
"""

from typing import final


@final
class RejectedInputError(Exception):
    """The input is wrong: quarantine it, never retry.

    `code` is stable and machine readable; the message says what, where and what to do, and names keys, fields and
    line numbers, never cell values.
    """

    EXIT_CODE = 65

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@final
class TemporaryError(Exception):
    """Something that can pass by itself failed: try again."""

    EXIT_CODE = 75

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
