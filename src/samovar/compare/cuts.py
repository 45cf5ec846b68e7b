"""Cut a guilty file into parts that can be B's one by one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from samovar.compare.code import Hunk, apply_hunks, compiles, hunks_between

if TYPE_CHECKING:
    from samovar.compare.instrument import Subset

_SHOWN: int = 200


class Cut(Protocol):
    """A file in parts."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parts: what is written after ``#``."""

    def values(self, name: str) -> tuple[Any, Any]:
        """Give what A and B have in a part, short enough to be read."""

    def compose(self, taken: Subset) -> bytes | None:
        """Give A's file with some of B's parts; None where it could not run."""

    def finer(self, names: Subset) -> Cut | None:
        """Cut some parts further, the rest being A's; None where there is nothing to cut."""


@dataclass(frozen=True)
class CodeCut:
    """A source file in hunks."""

    path: str
    lines: list[str]
    hunks: dict[str, Hunk]

    @property
    def names(self) -> tuple[str, ...]:
        """A's lines, ``12`` or ``12-15``."""
        return tuple(self.hunks)

    def values(self, name: str) -> tuple[Any, Any]:
        """Give the lines themselves."""
        hunk = self.hunks[name]
        return _short("".join(self.lines[hunk.start : hunk.stop])), _short("".join(hunk.lines))

    def compose(self, taken: Subset) -> bytes | None:
        """Give the file, where it compiles."""
        data = apply_hunks(self.lines, [self.hunks[name] for name in taken])
        return data if compiles(self.path, data) else None

    def finer(self, names: Subset) -> Cut | None:
        """Hunks are as fine as it gets."""
        return None


def cut_code(path: str, one: bytes, other: bytes) -> CodeCut | None:
    """Cut a source file into the hunks that change what it does; None where it has none."""
    cut = hunks_between(path, one, other)
    if cut is None or not cut[1]:
        return None
    lines, hunks = cut
    named: dict[str, Hunk] = {}
    for hunk in hunks:
        name, again = hunk.shown, 2
        while name in named:
            name, again = f"{hunk.shown} ({again})", again + 1
        named[name] = hunk
    return CodeCut(path=path, lines=lines, hunks=named)


def _short(text: str) -> str | None:
    text = text.rstrip("\n")
    return None if not text else text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def short_rows(rows: list[Any]) -> str | None:
    """Show rows in one short line."""
    return _short(json.dumps(rows, ensure_ascii=False)) if rows else None
