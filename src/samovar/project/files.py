"""Choose what of a project goes along: what git would take, less data, tests and secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.errors import InvalidProject
from samovar.project.leaving import SECRET, is_private_key, reason_to_leave
from samovar.project.listing import list_files, list_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from samovar.project.config import Project

__all__ = ["Selection", "list_files", "select_code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What goes along and what does not.

    Parameters
    ----------
    included : tuple of str
        Paths in the project, sorted.
    left_out : tuple of tuple of str
        Paths a user might miss, and why they stay, sorted.
    """

    included: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def select_code(project: Project) -> Selection:
    """Choose the code that goes into a project's bundle.

    Parameters
    ----------
    project : Project
        ``[service] code`` names files, folders or patterns; without it, the default is taken.
        Secrets go along only where a file is named itself.

    Raises
    ------
    InvalidProject
        Where a named file does not exist, a link leads out of the project, or a file's name is
        not Unicode.
    """
    own = {project.model.path} if project.model is not None else set()
    if project.examples.path is not None:
        own.add(project.examples.path)
    if project.policy is not None:
        own.update(project.policy.keys)  # the operator's; a new key makes no new bundle
    included: set[str] = set()
    left_out: dict[str, str] = {}
    if project.service.code is None:
        listing = list_folder(project.folder)
        left_out.update(dict.fromkeys(listing.folder_links, "a link to a folder"))
        candidates = [(path, _reason(project.folder, path)) for path in listing.files]
    else:
        candidates = _named(project.folder, project.service.code)
    for path, reason in candidates:
        if path in own:
            continue
        if reason is None:
            included.add(path)
        elif reason:
            left_out[path] = reason
    _check_links(project.folder, sorted(included))
    _check_names(included)
    remaining = {path: why for path, why in left_out.items() if path not in included}
    return Selection(included=tuple(sorted(included)), left_out=tuple(sorted(remaining.items())))


def _reason(folder: Path, path: str) -> str | None:
    file = folder / path
    reason = reason_to_leave(path, file.stat().st_size)
    return SECRET if reason is None and is_private_key(file) else reason


def _named(folder: Path, patterns: Iterable[str]) -> list[tuple[str, str | None]]:
    """Give what ``[service] code`` names, each with the reason to leave it all the same."""
    candidates: list[tuple[str, str | None]] = []
    for pattern in patterns:
        path = folder / pattern
        if path.is_file():
            candidates.append((pattern, None))
            continue
        if path.is_dir():
            found = [f"{pattern}/{one}" if pattern != "." else one for one in list_files(path)]
        else:
            found = [one for one in _glob(folder, pattern) if "__pycache__" not in one]
        if not found:
            raise InvalidProject(
                f"[service] code names {pattern!r}, and there is no such file.",
                hint="Correct it in samovar.toml.",
                code="no_such_file",
            )
        # Whoever names a folder has not asked for the keys in it.
        reasons = {one: _reason(folder, one) for one in found}
        candidates += [(one, SECRET if reasons[one] == SECRET else None) for one in found]
    return candidates


def _glob(folder: Path, pattern: str) -> list[str]:
    try:
        found = [one for one in folder.glob(pattern) if one.is_file()]
    except ValueError as error:
        raise InvalidProject(
            f"[service] code has {pattern!r}, which is no pattern.",
            why=str(error),
            hint="Write 'pkg/*.py', or 'pkg/**/*.py' for all depths.",
            code="no_such_file",
        ) from error
    return [one.relative_to(folder).as_posix() for one in found]


def _check_links(folder: Path, paths: Iterable[str]) -> None:
    root = folder.resolve()
    for path in paths:
        real = (folder / path).resolve()
        if root not in real.parents:
            raise InvalidProject(
                f"{path} is a link that leads out of the project.",
                why=f"It leads to {real}.",
                hint="Copy the file into the project, or leave it out of [service] code.",
                code="link_out",
            )


def _check_names(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidProject(
                f"The name of the file {path.encode('utf-8', 'replace').decode()} is not Unicode.",
                hint="Rename it, or leave it out of [service] code.",
                code="odd_name",
            ) from error
