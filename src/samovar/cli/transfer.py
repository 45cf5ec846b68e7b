"""What push and pull share on the line: options, and progress as people read it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from samovar.cli.sizes import human_size
from samovar.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samovar.cli.render import Screen
    from samovar.registry.progress import Progress, State

_SIZE: Final = re.compile(r"(\d+)\s*([KMG]i?)?B?", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 10**3, "ki": 2**10, "m": 10**6, "mi": 2**20, "g": 10**9, "gi": 2**30}
_STEP: Final = 0.25


def plain_http_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--plain-http``."""
    import click

    return click.option(
        "--plain-http",
        is_flag=True,
        help="Speak http without TLS to a registry beyond this machine.",
    )(function)


def parse_size(text: str) -> int:
    """Read a number of bytes: ``10MiB``, ``5000000``.

    Raises
    ------
    UserError
        Where it is none.

    Examples
    --------
    >>> parse_size("10MiB"), parse_size("5kB")
    (10485760, 5000)
    """
    found = _SIZE.fullmatch(text.strip())
    size = int(found.group(1)) * _UNITS[(found.group(2) or "").lower()] if found else 0
    if size <= 0:
        raise UserError(f"{text!r} is not a size.", hint="Write it as 10MiB or as 5000000.")
    return size


@contextmanager
def showing(screen: Screen, what: str) -> Iterator[Progress]:
    """Show how far a transfer is: always on a terminal, in quarters elsewhere."""
    import sys

    with screen.progress(what) as tell:
        live = sys.stderr.isatty()
        shown = 0.0

        def progress(state: State) -> None:
            nonlocal shown
            part = state.done_bytes / state.all_bytes if state.all_bytes else 0.0
            if live or part >= shown + _STEP:
                shown = part
                tell(f"{what}: {_words(state)}")

        yield progress


def _words(state: State) -> str:
    done, whole = human_size(state.done_bytes), human_size(state.all_bytes)
    return f"{done} of {whole}, {state.blobs} of {state.all_blobs} blobs"
