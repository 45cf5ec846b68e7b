"""Adopt a folder: find its model, application, requirements and example rows, without running it.

What a user wrote is kept: files are only added to, and keys that stand in ``samovar.toml`` win over
what was found, though not over what the user asks for on the command line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.core.reference import check_name
from samovar.core.toml import parse_toml
from samovar.errors import InvalidReference, NotFound
from samovar.project.checking import FILE
from samovar.project.config import Project, check_sections, parse_project, read_file
from samovar.project.find import find_app, find_examples, find_python, find_training
from samovar.project.find_model import find_model
from samovar.project.find_requirements import find_requirements, pin_recorded
from samovar.project.listing import list_files
from samovar.project.sources import read_sources
from samovar.project.write import Answers, add_to_gitignore, ignores_environments, render
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from samovar.project.find_model import Detect
    from samovar.project.find_requirements import Asked, Propose
    from samovar.project.found import FoundModel, Wishes
    from samovar.project.sources import Sources

    Before = Mapping[str, Mapping[str, Any]]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What other rooms know, and a command brings along.

    Parameters
    ----------
    detect : callable
        Says what a model file is, or None where a file is none; it must not load it.
    propose : callable
        Proposes requirements from imports and the model, where there is no requirements file.
    asked : callable
        Reads requirements; gives the specifiers by normalised name.
    default_python : str
        Minor version to assume where nothing says anything.
    """

    detect: Detect
    propose: Propose
    asked: Asked
    default_python: str


def adopt(folder: Path, wishes: Wishes, others: Others) -> Adoption:
    """Adopt a folder.

    Parameters
    ----------
    folder : Path
        With a model in it.
    wishes : Wishes
        What the user named.
    others : Others
        How models are told, and requirements read and proposed.

    Raises
    ------
    InvalidModel
        Where there is no model, or several and none was named.
    InvalidProject
        Where the ``samovar.toml`` that is there is wrong.
    InvalidReference
        Where the name that the user gives is none.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", hint="Name the project's folder.")
    if wishes.name is not None:
        check_name(wishes.name)
    existing = read_file(folder)
    before = {} if existing is None else check_sections(existing)
    notes: list[str] = []
    answers, rows = _look(folder, wishes, before, others, notes)
    text = render(existing, answers, asked_for=_asked_for(wishes))
    project = parse_project(text, folder.absolute())
    written = _write(folder, None if text == existing else text, rows, answers.examples)
    return Adoption(project=project, written=tuple(written), notes=tuple(notes))


def _look(
    folder: Path, wishes: Wishes, before: Before, others: Others, notes: list[str]
) -> tuple[Answers, list[Any] | None]:
    """Find everything; also give the example rows that are to be written."""
    files = list_files(folder)
    sources = read_sources(folder, files)
    notes += [f"{reason}; it was passed over" for reason in sources.unreadable]
    path, model = find_model(
        folder,
        files,
        sources,
        named=wishes.model or _kept(before, "model", "path"),
        detect=others.detect,
        notes=notes,
    )
    python = find_python(
        folder, wishes, _kept(before, "project", "python"), model, others.default_python, notes
    )
    requirements = _requirements(folder, before, sources, model, others, notes)
    examples, rows = find_examples(
        folder, wishes, _kept(before, "examples", "path"), sources, model, notes
    )
    app, message = find_app(wishes, before.get("service", {}), sources, notes)
    packaged = _packaged(folder)
    answers = Answers(
        name=wishes.name or _kept(before, "project", "name") or _name_of(folder, packaged, notes),
        version=packaged.get("version", "0.1.0"),
        python=python,
        model=path,
        app=app,
        message=message,
        requirements=tuple(requirements),
        examples=examples,
        training=find_training(files, sources),
    )
    return answers, rows


def _kept(before: Before, section: str, key: str) -> Any:
    return before.get(section, {}).get(key)


def _asked_for(wishes: Wishes) -> frozenset[str]:
    """Name the keys that the command line sets, whatever stands there."""
    keys = {
        "project.name": wishes.name,
        "project.python": wishes.python,
        "model.path": wishes.model,
        "service.app": wishes.app,
        "examples.path": wishes.examples,
    }
    return frozenset(key for key, value in keys.items() if value is not None)


def _requirements(
    folder: Path,
    before: Before,
    sources: Sources,
    model: FoundModel,
    others: Others,
    notes: list[str],
) -> list[str]:
    kept = _kept(before, "environment", "requirements")
    if kept is not None:
        return list(kept)
    found = find_requirements(folder, sources, model, others.propose, notes)
    return pin_recorded(found, model, others.asked, notes)


def _name_of(folder: Path, packaged: Mapping[str, str], notes: list[str]) -> str:
    """Take the name that pyproject.toml gives, else make one of the folder's."""
    named = packaged.get("name") or folder.resolve().name
    plain = unicodedata.normalize("NFKD", named.lower())
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    try:
        return check_name(name)
    except InvalidReference:
        notes.append(f"{named!r} makes no name of a project; it is called model (--name)")
        return "model"


def _packaged(folder: Path) -> dict[str, str]:
    """Give the texts in the ``[project]`` table of pyproject.toml, as far as it can be read."""
    path = folder / "pyproject.toml"
    try:
        table = parse_toml(path.read_text(encoding="utf-8-sig")).get("project")
    except (OSError, ValueError):
        return {}
    if not isinstance(table, dict):
        return {}
    return {key: value for key, value in table.items() if isinstance(value, str) and value}


def _write(
    folder: Path, text: str | None, rows: list[Any] | None, examples: str | None
) -> list[str]:
    ignored = ignores_environments(folder)
    written = []
    if rows is not None and examples is not None:
        body = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
        write_file(folder / examples, f"[\n{body}\n]\n".encode())
        written.append(examples)
    if text is not None:
        write_file(folder / FILE, text.encode())
        written.insert(0, FILE)
    if not ignored:
        add_to_gitignore(folder)
        written.append(".gitignore")
    return written
