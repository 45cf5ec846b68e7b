"""The lock of a project: the one that stands in its folder, or a new one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from samovar.env.answers import unanswered
from samovar.env.interpreters import find_interpreter
from samovar.env.local_packages import LocalWheel, build_wheel, wheels_of_lock
from samovar.env.lock import FILE, Lock
from samovar.env.requirements import Requirements, read_requirements
from samovar.env.resolve import Change, requirements_digest, resolve
from samovar.errors import InvalidRequirements
from samovar.store.atomic import write_file
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from samovar.env.interpreters import Interpreter
    from samovar.project.config import Project
    from samovar.store.home import Home

    Progress = Callable[[str], None]

_WHEELS: Final = "wheels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A project's lock.

    Parameters
    ----------
    lock : Lock
        As it stands in the project.
    wheels : tuple of LocalWheel
        The project's local packages, built; they lie in one folder of the workspace.
    changes : tuple of Change
        Against the lock before; empty where it was not made anew.
    notes : tuple of str
        What was left out of it, and why.
    """

    lock: Lock
    wheels: tuple[LocalWheel, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def wheels_folder(self) -> Path | None:
        """The folder of the local packages' wheels."""
        return self.wheels[0].path.parent if self.wheels else None


def lock_project(
    home: Home,
    project: Project,
    *,
    upgrade: Sequence[str] | None,
    workspace: Path,
    progress: Progress,
) -> Locked:
    """Make a project's lock and write it into its folder.

    Parameters
    ----------
    project : Project
        Names the requirements and the platforms.
    upgrade : sequence of str, optional
        Distributions to bring to their newest version; empty for all; None keeps what still fits.
    workspace : Path
        An empty folder; the local packages' wheels stay in it.
    progress : callable
        Is told what is going on.

    Raises
    ------
    InvalidRequirements
        Where a requirement cannot be read, or they cannot be satisfied together.
    """
    interpreter, requirements, wheels = _asked(project, workspace, progress)
    progress("Resolving the requirements")
    folder = workspace / "resolve"
    folder.mkdir()
    resolved = resolve(
        requirements,
        wheels,
        interpreter=interpreter,
        platforms=project.environment.platforms,
        existing=find_lock(project),
        upgrade=upgrade,
        workspace=folder,
        offline=is_offline(),
    )
    write_file(project.folder / FILE, resolved.lock.data)
    return Locked(
        lock=resolved.lock,
        wheels=(*wheels, *_gathered(resolved.found, workspace / _WHEELS)),
        changes=resolved.changes,
        notes=requirements.notes,
    )


def lock_of(home: Home, project: Project, *, workspace: Path, progress: Progress) -> Locked:
    """Give the project's lock; made where there is none.

    Raises
    ------
    InvalidRequirements
        Where the lock does not answer the requirements any more.
    """
    lock = find_lock(project)
    if lock is None:
        return lock_project(home, project, upgrade=None, workspace=workspace, progress=progress)
    _, requirements, wheels = _asked(project, workspace, progress)
    reason = _stale(project, lock, requirements, wheels)
    if reason is not None:
        raise InvalidRequirements(
            f"{FILE} does not answer the requirements any more.",
            why=reason,
            hint="Run 'samovar lock'.",
            code="stale_lock",
        )
    found = wheels_of_lock(lock, wheels, (*requirements.folders, project.folder / _WHEELS))
    return Locked(
        lock=lock,
        wheels=(*wheels, *_gathered(found, workspace / _WHEELS)),
        changes=(),
        notes=requirements.notes,
    )


def check_lock(project: Project, *, workspace: Path, progress: Progress) -> str | None:
    """Say why the lock does not answer the requirements; None where it does."""
    lock = find_lock(project)
    if lock is None:
        return f"There is no {FILE}."
    _, requirements, wheels = _asked(project, workspace, progress)
    return _stale(project, lock, requirements, wheels)


def find_lock(project: Project) -> Lock | None:
    """Read the lock in the project's folder, if there is one."""
    path = project.folder / FILE
    return Lock.from_bytes(path.read_bytes()) if path.is_file() else None


def _asked(
    project: Project, workspace: Path, progress: Progress
) -> tuple[Interpreter, Requirements, tuple[LocalWheel, ...]]:
    """Read the requirements and build the local packages among them."""
    requirements = read_requirements(project.environment.requirements, project.folder)
    interpreter = find_interpreter(project.project.python)
    wheels = []
    for number, source in enumerate(requirements.local):
        progress(f"Building {source.name}")
        folder = workspace / f"build-{number}"
        folder.mkdir()
        wheels.append(
            build_wheel(
                source,
                workspace / _WHEELS,
                interpreter=interpreter,
                workspace=folder,
                offline=is_offline(),
            )
        )
    return interpreter, requirements, tuple(wheels)


def _gathered(found: Sequence[LocalWheel], into: Path) -> list[LocalWheel]:
    """Copy wheels to the others that travel along."""
    into.mkdir(exist_ok=True)
    gathered = []
    for wheel in found:
        shutil.copyfile(wheel.path, into / wheel.path.name)
        gathered.append(replace(wheel, path=into / wheel.path.name))
    return gathered


def _stale(
    project: Project, lock: Lock, requirements: Requirements, wheels: Sequence[LocalWheel]
) -> str | None:
    missed = unanswered(
        lock,
        requirements,
        platforms=project.environment.platforms,
        minor=project.project.python,
    )
    if missed:
        return f"It does not meet {', '.join(missed)}."
    if lock.answers is None:
        return None  # another tool's lock, which says nothing of what it was made for
    answers = requirements_digest(
        requirements,
        wheels,
        minor=project.project.python,
        platforms=project.environment.platforms,
    )
    if answers == lock.answers:
        return None
    return "The requirements, a local package, the Python version or the platforms changed since."
