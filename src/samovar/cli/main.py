"""The entry point: global flags, lazy commands, errors to exit codes."""

from __future__ import annotations

import gc
import os
import sys
from typing import cast

from samovar.cli import exit_codes
from samovar.cli.render import Screen
from samovar.errors import Interrupted, OutOfSpace, SamovarError, Unavailable, UserError

_NO_SPACE = 28
_OBJECTS = 50_000
# httpx imports its own command line, with all of rich, wherever click and rich are installed; it
# does without where that is not to be had.
cast("dict[str, object]", sys.modules).setdefault("httpx._main", None)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; by default those of the process.
    """
    # Starting makes many objects and no garbage: looking for it is a tenth of the time.
    gc.set_threshold(_OBJECTS)
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code; every error is rendered here."""
    arguments, as_json = _global_flags(arguments)
    screen = Screen(as_json=as_json)
    try:
        return _call(arguments, screen)
    except SamovarError as error:
        if _debugging():
            raise
        screen.error(error)
        return exit_codes.of_error(error)
    except KeyboardInterrupt:
        screen.error(Interrupted("Interrupted."))
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`samovar list | head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.DONE
    except OSError as error:
        if _debugging():
            raise
        mapped = _of_os_error(error)
        screen.error(mapped)
        return exit_codes.of_error(mapped)


def _call(arguments: list[str], screen: Screen) -> int:
    from samovar.cli.shortcut import carry_out

    code = carry_out(arguments, screen)
    if code is None:
        from samovar.cli.application import call

        code = call(arguments, screen)
    return code


def _global_flags(arguments: list[str]) -> tuple[list[str], bool]:
    """Take ``--json`` and ``--offline`` from anywhere on the line, up to ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    before, after = arguments[:end], arguments[end:]
    as_json = "--json" in before
    if "--offline" in before:
        os.environ["SAMOVAR_OFFLINE"] = "1"
    return [word for word in before if word not in {"--json", "--offline"}] + after, as_json


def _debugging() -> bool:
    return os.environ.get("SAMOVAR_DEBUG", "") not in {"", "0"}


def _of_os_error(error: OSError) -> SamovarError:
    place = f" ({error.filename})" if error.filename else ""
    if error.errno == _NO_SPACE:
        return OutOfSpace(
            f"There is no space left{place}.", hint="Free some space, or set SAMOVAR_HOME."
        )
    if isinstance(error, FileNotFoundError):
        return UserError(f"There is no such file{place}.", code="not_found")
    return Unavailable(f"{error.strerror or error}{place}.", code="operating_system")
