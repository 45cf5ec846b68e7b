"""How a process of the runtime ends: its exit code and its last words.

``samovar serve`` replaces itself by the runtime (docs/decisions/0001-rooms.md), which then *is*
the command: these are the codes of ``cli/exit_codes.py``, for a process that cannot import it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from samovar.errors import Interrupted, Refused, SamovarError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE: Final = 0
INTERRUPTED: Final = 130
_ANSWER_IS_NO: Final = 1
_WRONG_USE: Final = 2
_ENVIRONMENT: Final = 3


def of_error(error: SamovarError) -> int:
    """Give the exit code of an error's family."""
    if isinstance(error, Refused):
        return _ANSWER_IS_NO
    if isinstance(error, Interrupted):
        return INTERRUPTED
    return _WRONG_USE if isinstance(error, UserError) else _ENVIRONMENT


def fail(error: SamovarError, *, as_json: bool, stdout: TextIO | None = None) -> int:
    """Print an error as the command line does and give the exit code.

    Parameters
    ----------
    error : SamovarError
        What ended the process.
    as_json : bool
        Print one JSON document on stdout instead of text on stderr.
    stdout : TextIO, optional
        The command's own stdout, where the process's was given away.
    """
    if as_json:
        document = {"error": {"code": error.code, "message": str(error), "hint": error.hint or ""}}
        stream = sys.stdout if stdout is None else stdout
        stream.write(json.dumps(document, ensure_ascii=False) + "\n")
        stream.flush()
    else:
        lines = [f"error: {error.message}", *([error.why] if error.why else [])]
        if error.hint:
            lines += ["", f"hint: {error.hint}"]
        sys.stderr.write("\n".join(lines) + "\n")
    return of_error(error)


def mismatch_words(mismatches: Sequence[dict[str, Any]]) -> str:
    """Name what in the environment is not the lock's."""
    return "; ".join(
        f"{item['name']} {item['wanted']} is wanted, {item['found'] or 'none'} was found"
        for item in mismatches
    )


def take_stdout() -> TextIO:
    """Keep stdout for our own words; what the model or the application prints goes to stderr."""
    sys.stdout.flush()
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own
