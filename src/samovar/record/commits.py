"""The run of a commit: the one that was recorded there, or one that is trained in a clean checkout.

The working copy is only read: the checkout is a clone of its own that shares its objects.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.core.run import FINISHED
from samovar.errors import NotFound, SamovarError, UserError
from samovar.project.config import FILE, Project, read_project
from samovar.record.git import git
from samovar.record.inputs import read_params, train_section
from samovar.record.runs import Run, list_runs
from samovar.record.train import TrainOptions, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

_SHORT: Final = 12
_NO_HOOKS: Final = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOfCommit:
    """A commit's run.

    Parameters
    ----------
    commit : str
        40 hexadecimal digits.
    run : Run
        Recorded before, or just now.
    notes : tuple of str
        What of it does not come from the commit.
    """

    commit: str
    run: Run
    notes: tuple[str, ...] = ()


def run_of_commit(
    home: Home,
    store: Store,
    folder: Path,
    name: str,
    *,
    timeout_s: float | None,
    show: bool,
    clock: Callable[[], str],
    progress: Progress,
) -> RunOfCommit:
    """Give the run that a project has at a commit; trained where none was recorded.

    Parameters
    ----------
    folder : Path
        The project's folder, in a Git repository.
    name : str
        A commit, a tag, a branch.
    timeout_s : float, optional
        The command is ended after so many seconds.
    show : bool
        Pass the command's output on.
    clock, progress : callable
        As :func:`samovar.record.train.train` takes them.

    Raises
    ------
    NotFound
        Where there is no such commit.
    UserError
        Where the folder is in no Git repository.
    """
    commit = _commit(folder, name)
    with home.workspace() as workspace:
        progress(f"Checking {name} out")
        project, notes = _checked_out(folder, commit, workspace / "clone")
        recorded = _recorded(store, project, commit)
        if recorded is not None:
            return RunOfCommit(commit=commit, run=recorded)
        try:
            run = train(
                home,
                store,
                project,
                TrainOptions(
                    settings={},
                    name=f"{project.project.name}-{commit[:_SHORT]}",
                    timeout_s=timeout_s,
                    show=show,
                    copy_back=False,
                ),
                clock=clock,
                progress=progress,
            )
        except SamovarError as error:
            error.message = f"At {name} ({commit[:_SHORT]}): {error.message}"
            raise
    return RunOfCommit(commit=commit, run=run, notes=tuple(notes))


def _commit(folder: Path, name: str) -> str:
    if git(folder, "rev-parse", "--git-dir") is None:
        raise UserError(
            f"{folder.absolute()} is in no Git repository.",
            hint="Run this in the project's folder; 'samovar why A B' takes two runs.",
            code="no_git",
        )
    # The dashes keep a name that begins with one from being an option.
    found = git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )
    if found is None:
        raise NotFound(
            f"There is no commit {name!r}.", hint="See 'git log', or fetch it.", code="no_commit"
        )
    return found.decode().strip()


def _checked_out(folder: Path, commit: str, clone: Path) -> tuple[Project, list[str]]:
    """Check a commit out into a new folder, and give the project in it."""
    root = Path(_text(git(folder, "rev-parse", "--show-toplevel")))
    below = _text(git(folder, "rev-parse", "--show-prefix"))
    made = git(folder, "clone", "-q", "--shared", "--no-checkout", str(root), str(clone))
    if made is None or git(clone, *_NO_HOOKS, "checkout", "-q", "--detach", commit) is None:
        raise UserError(
            f"Git cannot check {commit[:_SHORT]} out.",
            hint=f"Try 'git worktree add DIR {commit[:_SHORT]}', and see what it says.",
            code="no_checkout",
        )
    place = clone / below
    notes = []
    if not (place / FILE).is_file() and (folder / FILE).is_file():
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / FILE, place / FILE)
        notes.append(f"{commit[:_SHORT]} has no {FILE}; today's is taken")
    project = read_project(place)
    notes += _untracked_data(folder, project, commit)
    return project, notes


def _untracked_data(folder: Path, project: Project, commit: str) -> list[str]:
    """Copy data that Git does not have from the working copy: there is no older one to be had."""
    notes = []
    for pattern in train_section(project).data:
        here, there = folder / pattern, project.folder / pattern
        tracked_by_dvc = there.with_name(there.name + ".dvc").is_file()
        if there.exists() or tracked_by_dvc or not here.exists():
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_dir():
            shutil.copytree(here, there)
        else:
            shutil.copyfile(here, there)
        notes.append(f"{pattern} is not in {commit[:_SHORT]}; today's is taken")
    return notes


def _recorded(store: Store, project: Project, commit: str) -> Run | None:
    """Give the newest run that was recorded at a clean commit, with the commit's own parameters."""
    params = read_params(project.folder, train_section(project))
    for run in reversed(list_runs(store)):
        record = run.record
        if (
            record.status == FINISHED
            and record.project == project.project.name
            and record.git is not None
            and (record.git.commit, record.git.dirty) == (commit, False)
            and record.params == params
        ):
            return run
    return None


def _text(answer: bytes | None) -> str:
    return "" if answer is None else answer.decode().strip()
