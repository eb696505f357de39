"""The errors a user can meet: a dotted code, what happened and why, and the command or setting that mends it.

Codes and texts are those of the TypeScript engine (src/core/error-codes.ts explains them): which engine found it makes no
difference to whoever reads it.
"""

from __future__ import annotations


class CdcError(Exception):
    """An expected failure; anything else that is raised is a bug of ours."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Interrupted(BaseException):
    """A signal asks us to end. No Exception: Py4J and botocore make errors of their own of those, or try again."""


class Cancelled(CdcError):
    """A signal has ended the run in good order."""

    def __init__(self, message: str = "interrupted") -> None:
        super().__init__("cancelled", message)
