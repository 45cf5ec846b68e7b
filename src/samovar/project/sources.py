"""Read a project's Python files as syntax trees; nothing of them is imported or run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from samovar.project.applications import Application, find_applications
from samovar.project.leaving import is_test
from samovar.project.notebooks import code_of
from samovar.project.posted import find_posted
from samovar.project.syntax import MAX_BYTES, Module, UnreadableSourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

_USUAL: Final = (
    "server.py", "app.py", "main.py", "wsgi.py", "asgi.py", "api.py", "service.py", "serve.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the Python files say.

    Parameters
    ----------
    applications : tuple of Application
        In the order of likelihood.
    paths : tuple of tuple of str
        Files, and the ends of paths that they name.
    posted : tuple
        Bodies that a client posts.
    imports : tuple of str
        Top-level modules that are imported and are not the project's own, sorted.
    unreadable : tuple of str
        Files that are no Python, with the reason.
    """

    applications: tuple[Application, ...]
    paths: tuple[tuple[str, str], ...]
    posted: tuple[Any, ...]
    imports: tuple[str, ...]
    unreadable: tuple[str, ...]


def read_sources(folder: Path, files: Iterable[str]) -> Sources:
    """Read the Python files and notebooks among a project's files; tests are passed over.

    Parameters
    ----------
    folder : Path
        The project's.
    files : iterable of str
        Relative to it, with ``/``.
    """
    applications: list[Application] = []
    paths: list[tuple[str, str]] = []
    posted: list[Any] = []
    imports: set[str] = set()
    unreadable: list[str] = []
    files = list(files)
    own = _OwnModules(files)
    readable = [file for file in files if file.endswith((".py", ".ipynb")) and not is_test(file)]
    for file in sorted(readable, key=_likelihood):
        try:
            module = Module(_module(file), _source(folder / file))
            imports |= {dotted.partition(".")[0] for dotted in module.imported.values()} - own.of(
                file
            )
            paths += [(file, path) for path in module.paths()]
            posted += find_posted(module)
            if file.endswith(".py"):
                applications += find_applications(module, file)
        except UnreadableSourceError as error:
            unreadable.append(f"{file}: {error}")
        except RecursionError:
            unreadable.append(f"{file}: it is nested too deeply")
    return Sources(
        applications=tuple(applications),
        paths=tuple(dict.fromkeys(paths)),
        posted=tuple(posted),
        imports=tuple(sorted(imports)),
        unreadable=tuple(unreadable),
    )


class _OwnModules:
    """Which modules an import finds in the project itself."""

    def __init__(self, files: Iterable[str]) -> None:
        self._in: dict[str, set[str]] = {}
        self._packages: set[str] = set()
        for file in files:
            folder, _, name = file.rpartition("/")
            if not name.endswith(".py"):
                continue
            self._in.setdefault(folder, set()).add(name.removesuffix(".py"))
            if folder:
                above, _, package = folder.rpartition("/")
                self._in.setdefault(above, set()).add(package)
            if name == "__init__.py":
                self._packages.add(folder)

    def of(self, file: str) -> set[str]:
        """Give the names that mean the project's own modules in one of its files."""
        folder = file.rpartition("/")[0]
        beside = set() if folder in self._packages else self._in.get(folder, set())
        return beside | self._in.get("", set()) | self._in.get("src", set())


def _source(path: Path) -> bytes:
    if path.suffix == ".ipynb":
        return code_of(path.read_bytes())
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _likelihood(path: str) -> tuple[int, int, str]:
    """Put files first that are called as a service usually is, then shallow ones."""
    name = PurePosixPath(path).name
    place = _USUAL.index(name) if name in _USUAL else len(_USUAL)
    return (place, path.count("/"), path)


def _module(path: str) -> str:
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)
