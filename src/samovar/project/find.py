"""Find what a folder has: its model, Python version, requirements, example rows, application.

Each finder takes what the user named first, then what stands in ``samovar.toml``, then what it
finds, and notes what it assumed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.core.toml import parse_toml
from samovar.errors import InvalidModel, InvalidProject, NotFound
from samovar.project.python_version import Guess, guess_python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.project.sources import Sources

_REQUIREMENTS: Final = (
    "requirements.txt", "requirements.lock", "requirements.in", "pyproject.toml",
    "environment.yml", "environment.yaml", "pylock.toml",
)  # fmt: skip
_UNREAD: Final = ("Pipfile", "setup.cfg", "setup.py", "poetry.lock")
_EXAMPLES: Final = ("examples.json", "examples.jsonl", "examples.csv", "examples.parquet")
_MODEL_ENDINGS: Final = (
    ".pkl", ".pickle", ".joblib", ".jl", ".sav", ".model", ".skops", ".onnx", ".ubj", ".cbm", ".pt",
    ".bin", ".dat", ".gz", ".z", ".json", ".txt",
)  # fmt: skip
_SURE_ENDINGS: Final = frozenset({".pkl", ".pickle", ".joblib", ".skops", ".onnx", ".ubj", ".cbm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """What a model file says of itself.

    Parameters
    ----------
    format : str
        ``pickle``, ``joblib``, ...
    library_versions : dict of str to str
        Versions that the file records, such as ``{"scikit-learn": "1.4.2"}``.
    python_hint : str, optional
        Specifier of the Python versions that those run on.
    root : str, optional
        Class of the model.
    """

    format: str
    library_versions: dict[str, str]
    python_hint: str | None
    root: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user said on the command line; None is to be found out."""

    name: str | None = None
    model: str | None = None
    app: str | None = None
    python: str | None = None
    examples: str | None = None


def read_text(path: Path) -> str | None:
    """Give a file's text, or None where there is no file."""
    return path.read_text(encoding="utf-8-sig") if path.is_file() else None


def find_model(
    folder: Path,
    files: Sequence[str],
    sources: Sources,
    wishes: Wishes,
    before: dict[str, Any],
    detect: Callable[[Path], FoundModel | None],
) -> tuple[str, FoundModel]:
    """Find the model file; a name of the user's wins, then one that the code opens."""
    named = wishes.model or before.get("model", {}).get("path")
    if named is not None:
        path = _within(folder, named)
        if not (folder / path).is_file():
            raise InvalidModel(
                f"There is no model file {named}.", hint="Name it by --model.", code="no_model"
            )
        found = detect(folder / path)
        if found is None:
            raise InvalidModel(
                f"{named} is not a model.", hint="Name another file by --model.", code="no_model"
            )
        return path, found
    candidates = {}
    for path in sorted({*files, *_ignored_models(folder)}):
        if Path(path).suffix.lower() in _MODEL_ENDINGS and path not in _EXAMPLES:
            found = detect(folder / path)
            if found is not None:
                candidates[path] = found
    mentioned = [path for path in candidates if _is_mentioned(path, sources.opened)]
    chosen = mentioned if len(mentioned) == 1 else list(candidates)
    if len(chosen) == 1:
        return chosen[0], candidates[chosen[0]]
    if chosen:
        raise InvalidModel(
            f"There are {len(chosen)} models: {', '.join(chosen)}.",
            hint=f"Name the one to pack, for instance --model {chosen[0]}.",
            code="several_models",
        )
    raise InvalidModel(
        f"There is no model in {folder.absolute()}.",
        why="Looked for pickle, joblib, skops, ONNX, XGBoost, LightGBM and CatBoost files.",
        hint="Train one first, or name it by --model.",
        code="no_model",
    )


def _ignored_models(folder: Path) -> list[str]:
    """Find models that git ignores, as many projects let it."""
    found: list[str] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not name.endswith("venv")
            and name not in {"node_modules", "site-packages", "__pycache__"}
            and not (Path(root) / name / "pyvenv.cfg").exists()
        ]  # fmt: skip
        found += [
            (Path(root) / name).relative_to(folder).as_posix()
            for name in names
            if Path(name).suffix.lower() in _SURE_ENDINGS
        ]
    return found


def _is_mentioned(path: str, opened: Sequence[str]) -> bool:
    plain = [one.replace("\\", "/").removeprefix("./") for one in opened]
    return any(one == path or one.endswith(f"/{path}") or path.endswith(f"/{one}") for one in plain)


def _within(folder: Path, named: str) -> str:
    path = (folder / named).resolve() if not Path(named).is_absolute() else Path(named).resolve()
    if not path.exists() and Path(named).exists():
        path = Path(named).resolve()
    try:
        return path.relative_to(folder.resolve()).as_posix()
    except ValueError:
        raise InvalidProject(
            f"{named} is not in the project's folder.", hint="Copy it there first."
        ) from None


def versions(found: FoundModel) -> str:
    """Show recorded versions, each after a comma."""
    return "".join(
        f", {name} {version}" for name, version in sorted(found.library_versions.items())
    )


def find_python(
    folder: Path,
    wishes: Wishes,
    before: dict[str, Any],
    found: FoundModel,
    default: str,
    notes: list[str],
) -> str:
    """Find the minor version of Python."""
    if wishes.python is not None:
        return wishes.python
    kept = before.get("project", {}).get("python")
    if kept is not None:
        return str(kept)
    active = os.environ.get("VIRTUAL_ENV")
    environments = [*(Path(one) for one in [active] if one), *sorted(folder.glob("*venv"))]
    guess = guess_python(folder, hint=found.python_hint, environments=environments)
    guess = guess or Guess(minor=default, because="nothing says otherwise; it is samovar's own")
    notes.append(f"Python {guess.minor}: {guess.because}")
    return guess.minor


def find_requirements(
    folder: Path,
    before: dict[str, Any],
    sources: Sources,
    found: FoundModel,
    propose: Callable[[Sources, FoundModel], Sequence[str]],
    notes: list[str],
) -> list[str]:
    """Find the requirements, or propose some."""
    kept = before.get("environment", {}).get("requirements")
    if kept is not None:
        return [kept] if isinstance(kept, str) else list(kept)
    for name in _REQUIREMENTS:
        if (folder / name).is_file() and not (name == "pyproject.toml" and _lists_nothing(folder)):
            notes.append(f"requirements: {name}")
            return [name]
    others = sorted(path.name for path in folder.glob("requirements*.txt"))
    if others:
        notes.append(f"requirements: {others[0]}")
        return [others[0]]
    unread = [name for name in _UNREAD if (folder / name).is_file()]
    if unread:
        notes.append(f"{', '.join(unread)} cannot be read; export a requirements.txt from it")
    proposed = list(propose(sources, found))
    notes.append(f"no requirements file; proposed from imports: {', '.join(proposed) or 'nothing'}")
    return proposed


def _lists_nothing(folder: Path) -> bool:
    try:
        document = parse_toml(read_text(folder / "pyproject.toml") or "")
    except ValueError:
        return True
    return "dependencies" not in document.get("project", {})


def find_examples(
    folder: Path, wishes: Wishes, before: dict[str, Any], sources: Sources, notes: list[str]
) -> tuple[str | None, list[Any] | None]:
    """Give the path of the example rows, and rows that are to be written there."""
    named = wishes.examples or before.get("examples", {}).get("path")
    if named is not None:
        path = _within(folder, named)
        if not (folder / path).is_file():
            raise NotFound(f"There is no file {named}.", hint="Name example rows by --examples.")
        return path, None
    for name in _EXAMPLES:
        if (folder / name).is_file():
            notes.append(f"example rows: {name}")
            return name, None
    rows = [row for posted in sources.rows for row in _as_rows(posted)]
    kind = type(rows[0]) if rows else None
    rows = [row for row in rows if type(row) is kind]
    if rows:
        notes.append(f"example rows: {len(rows)} that a client posts, written to examples.json; "
                     "add a few more, edge cases too")  # fmt: skip
        return "examples.json", rows
    notes.append("no example rows: write a few that the model takes into examples.json, and set "
                 '[examples] path = "examples.json"')  # fmt: skip
    return None, None


def _as_rows(posted: Any) -> list[Any]:
    """Tell one row from a list of rows."""
    if isinstance(posted, list) and all(isinstance(row, (list, dict)) for row in posted):
        return posted
    return [posted]


def find_app(
    wishes: Wishes, before: dict[str, Any], sources: Sources, notes: list[str]
) -> str | None:
    """Find the WSGI or ASGI application."""
    if wishes.app is not None:
        return wishes.app
    kept = before.get("service", {}).get("app")
    if kept is not None:
        return str(kept)
    if not sources.applications:
        return None
    chosen = sources.applications[0].name
    notes.append(f"application: {chosen}")
    if len(sources.applications) > 1:
        others = ", ".join(one.name for one in sources.applications[1:])
        notes.append(f"other applications: {others} (name one by --app)")
    return chosen
