"""The job that a parent hands over, and the result that goes back to it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samovar.core import layout
from samovar.errors import Damaged, SamovarError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done in this environment.

    Parameters
    ----------
    verb : str
        ``record``, ``replay``, ``predict`` or ``serve``.
    bundle : Path
        Folder of the unpacked bundle.
    wanted : mapping
        ``{"python", "packages": [{"name","version"}]}``; empty where nothing is asked for.
    result : Path or None
        File for the answer; None where the verb answers by itself.
    options : mapping
        The verb's own fields.
    """

    verb: str
    bundle: Path
    wanted: Mapping[str, Any]
    result: Path | None
    options: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The bundle's; empty where nobody said."""
        return str(self.options.get("digest") or os.environ.get(layout.DIGEST_VARIABLE, ""))

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job file.

        Raises
        ------
        Damaged
            Where it is none.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            result = document.get("result")
            return cls(
                verb=str(document["verb"]),
                bundle=Path(document["bundle"]),
                wanted=document.get("wanted") or {},
                result=None if result is None else Path(result),
                options=document,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damaged(f"{path} is not a job for the runtime.") from error

    @property
    def project(self) -> Path:
        """Folder of the project's own files."""
        return self.bundle / layout.PROJECT

    def description(self) -> dict[str, Any]:
        """Read the bundle's ``samovar.json``."""
        try:
            text = (self.bundle / layout.DOCUMENT).read_text(encoding="utf-8")
            document: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as error:
            raise Damaged(f"The bundle's {layout.DOCUMENT} cannot be read.") from error
        return document


def write_result(path: Path, document: Mapping[str, Any]) -> None:
    """Write the answer so that it is either whole or not there."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def error_document(error: SamovarError) -> dict[str, Any]:
    """Describe an error so that the parent can raise it again."""
    return {
        "class": type(error).__name__,
        "message": error.message,
        "why": error.why,
        "hint": error.hint,
        "code": error.code,
    }
