"""Find what else a folder has: its Python version, example rows, and application.

Each finder takes what the user named first, then what stands in ``samovar.toml``, then what it
finds, and notes what it assumed.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import NotFound
from samovar.project.find_model import within
from samovar.project.posted import rows_of
from samovar.project.python_version import guess_python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samovar.project.applications import Application
    from samovar.project.found import FoundModel, Wishes
    from samovar.project.sources import Sources

_DATA: Final = (".csv", ".tsv", ".parquet", ".feather", ".arrow", ".npy", ".npz", ".json", ".jsonl")
_EXAMPLES: Final = (
    "examples.json", "examples.jsonl", "examples.csv", "examples.parquet",
    "examples/examples.json", "examples/examples.csv",
)  # fmt: skip


def find_python(
    folder: Path,
    wishes: Wishes,
    kept: str | None,
    found: FoundModel,
    default: str,
    notes: list[str],
) -> str:
    """Find the minor version of Python."""
    if wishes.python is not None or kept is not None:
        return str(wishes.python or kept)
    guess = guess_python(
        folder,
        hint=found.python_hint,
        environments=_environments(folder),
        default=default,
        notes=notes,
    )
    notes.append(f"Python {guess.minor}: {guess.because}")
    return guess.minor


def _environments(folder: Path) -> list[Path]:
    """List virtual environments: the project's own, then the active one unless it is samovar's."""
    own = sorted(path.parent for path in folder.glob("*/pyvenv.cfg"))
    active = os.environ.get("VIRTUAL_ENV")
    if active and Path(active).resolve() not in {Path(sys.prefix).resolve(), *own}:
        own.append(Path(active))
    return own


def find_examples(
    folder: Path,
    wishes: Wishes,
    kept: str | None,
    sources: Sources,
    found: FoundModel,
    notes: list[str],
) -> tuple[str | None, list[Any] | None]:
    """Give the path of the example rows, and rows that are to be written there."""
    named = wishes.examples or kept
    if named is not None:
        path = within(folder, named)
        if not (folder / path).is_file():
            raise NotFound(f"There is no file {named}.", hint="Name example rows by --examples.")
        return path, None
    for name in _EXAMPLES:
        if (folder / name).is_file():
            notes.append(f"example rows: {name}")
            return name, None
    rows = rows_of(sources.posted, texts=found.takes_texts)
    if rows:
        notes.append(f"example rows: {len(rows)} that a client posts, written to examples.json; "
                     "add a few more, edge cases too")  # fmt: skip
        return "examples.json", rows
    notes.append("no example rows: write a few that the model takes into examples.json, and set "
                 '[examples] path = "examples.json"')  # fmt: skip
    return None, None


def find_app(
    wishes: Wishes, kept: Mapping[str, Any], sources: Sources, notes: list[str]
) -> tuple[str | None, str | None]:
    """Give the WSGI or ASGI application, and the text that its ``/`` answers."""
    named = wishes.app or kept.get("app")
    if named is not None:
        return named, _message(named, sources.applications)
    if not sources.applications:
        return None, None
    chosen, *others = sources.applications
    notes.append(f"application: {chosen.name}")
    if others:
        names = ", ".join(one.name for one in others)
        notes.append(f"other applications: {names} (name one by --app)")
    return chosen.name, chosen.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a training script seems to read and write, to be proposed in a comment."""

    script: str = "train.py"
    data: tuple[str, ...] = ("data/train.csv",)
    metrics: str = "out.json"
    predictions: str = "preds.npy"


def find_training(files: Sequence[str], sources: Sources) -> Training:
    """Guess from the paths that a script called ``train.py`` names."""
    scripts = [file for file in files if PurePosixPath(file).name in {"train.py", "training.py"}]
    if not scripts:
        return Training()
    script = scripts[0]
    named = [path.removeprefix("./") for file, path in sources.paths if file == script]
    data = [file for file in files if file in named and file.endswith(_DATA)]
    written = [path for path in named if path not in files and ".." not in path]
    usual = Training()
    return Training(
        script=script,
        data=tuple(data) or usual.data,
        metrics=next((path for path in written if path.endswith(".json")), usual.metrics),
        predictions=next((path for path in written if path.endswith(".npy")), usual.predictions),
    )


def _message(name: str, applications: tuple[Application, ...]) -> str | None:
    return next((one.message for one in applications if one.name == name), None)
