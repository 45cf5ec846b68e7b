"""List a project's files as git would take them, with git or without."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.project.gitignore import Rule, is_ignored, parse_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Environments, caches and what tools write: no part of a project, whether git tracks them or not.
_NOT_ENTERED: Final = re.compile(
    r"\..*|.*venv|__pycache__|node_modules|site-packages|.*\.egg-info|mlruns|wandb", re.DOTALL
)
_BUILT: Final = re.compile(r"(?:.*/)?build/(?:lib|bdist\.[^/]*|temp\.[^/]*)(?:/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is in a folder.

    Parameters
    ----------
    files : tuple of str
        Paths with ``/``, sorted.
    folder_links : tuple of str
        Links to folders, which are not followed, sorted.
    """

    files: tuple[str, ...]
    folder_links: tuple[str, ...]


def list_folder(folder: Path) -> Listing:
    """List what git would take: what is tracked, or neither tracked nor ignored.

    Where there is no repository, or no git, ``.gitignore`` files are read here.
    """
    listed = _ask_git(folder)
    entries = list(_walk(folder) if listed is None else _entered(folder, listed))
    files = {path for path in entries if (folder / path).is_file()}
    links = {path for path in entries if (folder / path).is_dir()}
    return Listing(files=tuple(sorted(files)), folder_links=tuple(sorted(links)))


def list_files(folder: Path) -> list[str]:
    """Give the files of :func:`list_folder`."""
    return list(list_folder(folder).files)


def is_passed_over(name: str) -> bool:
    """Say whether a folder of that name is never a part of a project."""
    return _NOT_ENTERED.fullmatch(name) is not None


def _ask_git(folder: Path) -> list[str] | None:
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others",
               "--exclude-standard", "--", "."]  # fmt: skip
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ended = subprocess.run(
            command, capture_output=True, env=variables, check=False, stdin=subprocess.DEVNULL
        )
    except OSError:
        return None
    if ended.returncode != 0:
        return None
    listed = [os.fsdecode(name) for name in ended.stdout.split(b"\0") if name]
    # An ignored folder of a larger repository (a copy in a build folder) is no part of it.
    return listed or None


def _entered(folder: Path, listed: Iterable[str]) -> Iterator[str]:
    """Leave out what is never entered, and look into repositories within the repository."""
    known: dict[str, bool] = {"": False}

    def is_out(parent: str) -> bool:
        if parent not in known:
            above, _, name = parent.rpartition("/")
            known[parent] = is_out(above) or _is_out(folder, parent, name)
        return known[parent]

    for path in listed:
        path = path.rstrip("/")
        if is_out(path.rpartition("/")[0]):
            continue
        entry = folder / path
        if entry.is_dir() and not entry.is_symlink():
            if not is_out(path):
                yield from (f"{path}/{one}" for one in list_files(entry))
        else:
            yield path


def _is_out(folder: Path, path: str, name: str) -> bool:
    return (
        is_passed_over(name)
        or _BUILT.fullmatch(path) is not None
        or (folder / path / "pyvenv.cfg").is_file()
    )


def _walk(folder: Path, below: str = "", rules: tuple[Rule, ...] = ()) -> Iterator[str]:
    ignore = folder / below / ".gitignore"
    if ignore.is_file():
        rules += tuple(parse_rules(ignore.read_text(encoding="utf-8", errors="replace"), below))
    try:
        entries = sorted(os.scandir(folder / below), key=lambda entry: entry.name)
    except PermissionError:
        return
    for entry in entries:
        path = below + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_ignored(path, rules, is_folder=is_folder):
            continue
        if not is_folder:
            yield path
        elif not _is_out(folder, path, entry.name):
            yield from _walk(folder, path + "/", rules)
