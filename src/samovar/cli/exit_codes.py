"""Exit codes, and the only place that knows them."""

from __future__ import annotations

from typing import Final

from samovar.errors import (
    Damaged,
    EnvironmentMismatch,
    Interrupted,
    Refused,
    SamovarError,
    ScriptFailed,
    Unavailable,
)

DONE: Final = 0
ANSWER_IS_NO: Final = 1
WRONG_USE: Final = 2
ENVIRONMENT: Final = 3
INTERRUPTED: Final = 130


def of_error(error: SamovarError) -> int:
    """Give the exit code of an error's family."""
    if isinstance(error, Refused):
        return ANSWER_IS_NO
    if isinstance(error, (Unavailable, EnvironmentMismatch, Damaged, ScriptFailed)):
        return ENVIRONMENT
    if isinstance(error, Interrupted):
        return INTERRUPTED
    return WRONG_USE
