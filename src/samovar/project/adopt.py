"""Adopt a folder: find its model, application, requirements and example rows, without running it.

What a user wrote is kept: files are only added to, and keys that stand in ``samovar.toml`` win over
what was found.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.core.reference import check_name
from samovar.core.toml import parse_toml
from samovar.errors import InvalidProject, InvalidReference, NotFound
from samovar.project.config import FILE, Project, parse_project
from samovar.project.files import list_files
from samovar.project.find import (
    FoundModel,
    Wishes,
    find_app,
    find_examples,
    find_model,
    find_python,
    find_requirements,
    read_text,
    versions,
)
from samovar.project.sources import Sources, read_sources
from samovar.project.write import add_to_gitignore, render
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What ``init`` did.

    Parameters
    ----------
    project : Project
        As it stands now.
    written : tuple of str
        Files that were made or added to.
    notes : tuple of str
        What was assumed, and what is to be looked at.
    """

    project: Project
    written: tuple[str, ...]
    notes: tuple[str, ...]


def adopt(
    folder: Path,
    wishes: Wishes,
    *,
    detect: Callable[[Path], FoundModel | None],
    propose: Callable[[Sources, FoundModel], Sequence[str]],
    default_python: str,
) -> Adoption:
    """Adopt a folder.

    Parameters
    ----------
    folder : Path
        With a model in it.
    wishes : Wishes
        What the user named.
    detect : callable
        Says what a model file is, or None where a file is none; it must not load it.
    propose : callable
        Proposes requirements from imports and the model, where there is no requirements file.
    default_python : str
        Minor version to assume where nothing says anything.

    Raises
    ------
    InvalidModel
        Where there is no model, or several and none was named.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", hint="Name the project's folder.")
    before = _existing(folder)
    files = list_files(folder)
    sources = read_sources(folder, files)
    notes = [f"{reason}; it was passed over" for reason in sources.unreadable]
    model, found = find_model(folder, files, sources, wishes, before, detect)
    notes.append(f"model: {model} ({found.format}{versions(found)})")
    python = find_python(folder, wishes, before, found, default_python, notes)
    requirements = find_requirements(folder, before, sources, found, propose, notes)
    examples, rows = find_examples(folder, wishes, before, sources, notes)
    app = find_app(wishes, before, sources, notes)
    values: dict[str, Any] = {
        "name": wishes.name or before.get("project", {}).get("name") or _name_of(folder, notes),
        "version": _packaged(folder).get("version") or "0.1.0",
        "python": python,
        "model": model,
        "app": app,
        "message": next((a.message for a in sources.applications if a.message), None),
        "requirements": requirements,
        "examples": examples,
    }
    text = render(read_text(folder / FILE), values)
    project = parse_project(text, folder.absolute())
    written = _write(folder, text, rows, examples)
    return Adoption(project=project, written=tuple(written), notes=tuple(notes))


def _existing(folder: Path) -> dict[str, Any]:
    """Give the samovar.toml that a user has already, which must be right as far as it goes."""
    text = read_text(folder / FILE)
    if text is None:
        return {}
    try:
        return parse_toml(text)
    except ValueError as error:
        raise InvalidProject(
            f"{FILE} is not TOML.", why=str(error), hint="Correct it or remove it."
        ) from error


def _name_of(folder: Path, notes: list[str]) -> str:
    """Take the name that pyproject.toml gives, else make one of the folder's."""
    named = _packaged(folder).get("name") or folder.resolve().name
    name = re.sub(r"[^a-z0-9]+", "-", str(named).lower()).strip("-")
    try:
        return check_name(name)
    except InvalidReference:
        notes.append(f"{named!r} makes no name of a project; it is called model")
        return "model"


def _packaged(folder: Path) -> dict[str, Any]:
    """Give the ``[project]`` table of pyproject.toml, as far as it can be read."""
    try:
        table = parse_toml(read_text(folder / "pyproject.toml") or "").get("project")
    except ValueError:
        return {}
    return table if isinstance(table, dict) else {}


def _write(folder: Path, text: str, rows: list[Any] | None, examples: str | None) -> list[str]:
    written = []
    if read_text(folder / FILE) != text:
        write_file(folder / FILE, text.encode())
        written.append(FILE)
    if rows is not None and examples is not None:
        body = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
        write_file(folder / examples, f"[\n{body}\n]\n".encode())
        written.append(examples)
    if add_to_gitignore(folder):
        written.append(".gitignore")
    return written
