"""Read what a distribution in an environment consists of, as its RECORD lists it; nothing is run.

References
----------
Python Packaging User Guide, "Recording installed projects", "Core metadata", "Well-known Project
URLs in Metadata".
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES: Final = 24 << 20
_MOST_FILE_BYTES: Final = 2 << 20
_NOT_READ: Final = frozenset({"tests", "test", "testing", "_vendor", "vendored", "externals"})
_CHANGELOG_LABELS: Final = (
    "changelog", "changes", "releasenotes", "whatsnew", "history", "documentation", "docs",
    "releases", "repository", "source", "sourcecode", "github", "homepage",
)  # fmt: skip
_CHANGELOG_FILE: Final = re.compile(r"(change|history|news|release|whats_?new)[\w.-]*$", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution in an environment.

    Parameters
    ----------
    folder : Path
        Where packages are.
    information : Path
        Its ``.dist-info``.
    paths : tuple of str
        Its files, below ``folder``.
    """

    folder: Path
    information: Path
    paths: tuple[str, ...]

    @property
    def modules(self) -> frozenset[str]:
        """Its top-level modules."""
        tops = {path.partition("/")[0] for path in self.paths if path.endswith(".py")}
        return frozenset(top.removesuffix(".py") for top in tops)

    def sources(self) -> Iterator[bytes]:
        """Give its modules' bytes, without tests, up to a bound."""
        left = _MOST_BYTES
        root = self.folder.resolve()
        for path in self.paths:
            if not path.endswith(".py") or _NOT_READ & set(path.split("/")):
                continue
            file = self.folder / path
            if not file.resolve().is_relative_to(root) or not file.is_file():
                continue
            size = file.stat().st_size
            left -= size
            if left < 0:
                return
            if size <= _MOST_FILE_BYTES:
                yield file.read_bytes()

    def changelog(self) -> str | None:
        """Say where its changes are told: an address, else a file of its own."""
        try:
            text = (self.information / "METADATA").read_text("utf-8", "replace")
        except OSError:
            return None
        fields = HeaderParser().parsestr(text)
        labelled = [str(one).partition(",")[::2] for one in fields.get_all("Project-URL", ())]
        if fields["Home-page"]:
            labelled.append(("homepage", str(fields["Home-page"])))
        by_label = {re.sub(r"[^a-z]", "", label.lower()): url.strip() for label, url in labelled}
        for label in _CHANGELOG_LABELS:
            url = by_label.get(label, "")
            if re.fullmatch(r"https?://[!-~]+", url):
                return url
        names = (path.rpartition("/")[2] for path in self.paths)
        return next((name for name in names if _CHANGELOG_FILE.match(name)), None)


def find_installed(folder: Path, name: str) -> Installed | None:
    """Find a distribution by its normalised name; None where it, or its RECORD, is not there."""
    for information in folder.glob("*.dist-info"):
        if canonicalize_name(information.name.partition("-")[0]) == name:
            try:
                with (information / "RECORD").open(encoding="utf-8", newline="") as file:
                    listed = [row[0] for row in csv.reader(file) if row]
            except (OSError, ValueError, csv.Error):
                return None
            paths = tuple(path for path in listed if _is_inside(path))
            return Installed(folder=folder, information=information, paths=paths)
    return None


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ":" not in path and ".." not in path.split("/")
