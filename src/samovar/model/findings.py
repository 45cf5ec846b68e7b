"""What a reader found: the globals, what is wrong with them, and what the stream says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.model.source import broken

if TYPE_CHECKING:
    from samovar.core.guard import Objection
    from samovar.model.values import Name

_GLOBALS: Final = 10_000
_FINDINGS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason not to load a file.

    Parameters
    ----------
    global_ : str
        The dotted name; empty where the file itself is the reason.
    offset : int
        In the (decompressed) stream, in bytes from 0.
    why : str
        What it is used for, or what cannot be read.
    """

    global_: str
    offset: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``audit`` prints."""
        return {"global": self.global_, "offset": self.offset, "why": self.why}


class Log:
    """Collects what readers find in one file, over all its streams."""

    def __init__(self) -> None:
        self._globals: dict[str, None] = {}
        self._findings: dict[tuple[str, int], str] = {}
        self.strangers: set[str] = set()
        self.versions: dict[str, str] = {}
        self.root: str | None = None
        self.protocol = 0
        self.has_joblib_arrays = False
        self.begins_with_objects = False

    def seen(self, name: str) -> None:
        """Note that a stream names a global."""
        self._globals[name] = None
        if len(self._globals) > _GLOBALS:
            raise broken("The stream names more globals than a model does.")

    def add(self, name: str, offset: int, why: str, *, stronger: bool = False) -> None:
        """Note a finding; the first one at a place stands unless a stronger one follows."""
        if stronger or (name, offset) not in self._findings:
            self._findings[name, offset] = why
        if len(self._findings) > _FINDINGS:
            raise broken("There are more findings than anybody reads.")

    def withdraw(self, name: str, offset: int) -> None:
        """Take a finding back: what was found there turned out to be allowed."""
        self._findings.pop((name, offset), None)

    def object_to(self, objection: Objection, by: Name | None, offset: int) -> None:
        """Note what the guard objects to, at the place where its global came in."""
        if objection.global_ is None:
            self.add(str(by.what) if by is not None else "", offset, objection.why)
            return
        at = by.offset if by is not None and by.what == objection.global_ else offset
        self.add(str(objection.global_), at, objection.why)

    def findings(self) -> tuple[Finding, ...]:
        """Give the findings in the order of the stream."""
        return tuple(
            Finding(global_=name, offset=offset, why=why)
            for (name, offset), why in sorted(self._findings.items(), key=lambda item: item[0][1])
        )

    def globals(self) -> tuple[str, ...]:
        """Give every global that was named, sorted."""
        return tuple(sorted(self._globals))
