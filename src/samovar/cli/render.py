"""What a command prints: data on stdout, the rest on stderr, one JSON document where asked."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from samovar.errors import SamovarError


class Screen:
    """Where a command's words go.

    Parameters
    ----------
    as_json : bool
        Print exactly one JSON document on stdout and nothing else there.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def result(self, document: dict[str, Any], people: Callable[[Console], None] | str) -> None:
        """Print a command's answer: the document for programs, or the text for people.

        Parameters
        ----------
        document : dict
            The JSON that CONTRACT names for the command.
        people : callable taking a rich Console on stdout, or str
            What is printed without ``--json``.
        """
        if self.as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        elif isinstance(people, str):
            sys.stdout.write(people.rstrip("\n") + "\n" if people else "")
        else:
            people(console(sys.stdout))
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell people something by the way, on stderr; silent with ``--json``."""
        if not self.as_json:
            sys.stderr.write(text.rstrip("\n") + "\n")
            sys.stderr.flush()

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that long work goes on; yields a function that changes the text.

        On a terminal a spinner; elsewhere one line per text; nothing with ``--json``.
        """
        if self.as_json:
            yield lambda _text: None
        elif sys.stderr.isatty() and "NO_COLOR" not in os.environ:
            with console(sys.stderr).status(text) as status:
                yield status.update
        else:
            self.note(text)
            yield self.note

    def error(self, error: SamovarError) -> None:
        """Print an error: what, why, and after a blank line what to do next."""
        if self.as_json:
            document = {
                "error": {
                    "code": error.code,
                    "message": str(error),
                    "hint": error.hint or "",
                }
            }
            sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return
        lines = [f"error: {error.message}"]
        if error.why:
            lines.append(error.why)
        if error.hint:
            lines += ["", f"hint: {error.hint}"]
        sys.stderr.write("\n".join(lines) + "\n")


def console(stream: Any) -> Console:
    """Make a rich console that is plain where the stream is no terminal."""
    from samovar.cli.console import WordsConsole  # rich is slow to import

    return WordsConsole(stream)
