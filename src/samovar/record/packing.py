"""Pack what a recorded run wrote: a bundle that knows on which data its model was trained."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from samovar.bundle.pack import Packed, model_section, pack_project
from samovar.core.origin import Training
from samovar.core.reference import Reference
from samovar.core.run import FINISHED
from samovar.errors import InvalidModel, InvalidProject, NotFound
from samovar.project.config import (
    FILE,
    ExamplesSection,
    ModelSection,
    Project,
    ProjectSection,
    read_project,
)
from samovar.record.chunks import read_file
from samovar.record.environments import wheels_folder
from samovar.record.reproduce import lock_of_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.core.origin import Origin
    from samovar.core.run import RunFile, RunRecord
    from samovar.env.lock import Lock
    from samovar.record.runs import Run
    from samovar.store.home import Home
    from samovar.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user says beyond a run's record.

    Parameters
    ----------
    model : str, optional
        Path of the output that is the model.
    examples : Path, optional
        A file of example rows.
    """

    model: str | None = None
    examples: Path | None = None

    def apply(self, project: Project, outputs: Sequence[RunFile]) -> Project:
        """Give the project with the model and the examples that were chosen.

        Raises
        ------
        InvalidModel
            Where it is unclear which output is the model.
        """
        if self.model is not None:
            section = project.model or ModelSection(path=self.model)
            project = replace(project, model=replace(section, path=self.model))
        elif project.model is None:
            if len(outputs) != 1:
                raise _which_output(outputs)
            project = replace(project, model=ModelSection(path=outputs[0].path))
        return project if self.examples is None else with_examples(project, self.examples)


def pack_run(
    home: Home,
    store: Store,
    run: Run,
    *,
    tag: Reference | None,
    choice: Choice,
    progress: Callable[[str], None],
) -> tuple[Reference, Packed]:
    """Make a bundle of the model that a run wrote; the project's folder is not needed.

    Parameters
    ----------
    run : Run
        Finished.
    tag : Reference, optional
        What to call the bundle; by default the project's name.
    choice : Choice
        What the run does not say, or says otherwise.
    progress : callable
        Is told what is going on.

    Returns
    -------
    tuple of Reference and Packed
        The bundle's name, and the bundle.

    Raises
    ------
    InvalidProject
        Where the run failed, or kept no example rows and none are given.
    InvalidModel
        Where it is unclear which of its outputs is the model.
    Refused
        Where the audit refuses the model.
    """
    with home.workspace() as workspace:
        project, lock = _laid_out(store, run, choice, workspace / "project")
        return pack_as(
            home,
            store,
            project,
            lock,
            wheels=wheels_folder(store, lock, workspace),
            tag=tag,
            origin=Training.of(run.record, run=run.digest, name=run.name),
            progress=progress,
        )


def bundle_of_run(home: Home, store: Store, run: Run, *, progress: Callable[[str], None]) -> Bundle:
    """Give the bundle that :func:`pack_run` would make, without a name: ``gc`` removes it.

    Raises
    ------
    SamovarError
        As :func:`pack_run` does.
    """
    with home.workspace() as workspace:
        project, lock = _laid_out(store, run, Choice(), workspace / "project")
        return pack_project(
            home,
            store,
            project,
            lock,
            wheels=wheels_folder(store, lock, workspace),
            names=(),
            origin=Training.of(run.record, run=run.digest, name=run.name),
            progress=progress,
        ).bundle


def pack_as(
    home: Home,
    store: Store,
    project: Project,
    lock: Lock,
    *,
    wheels: Path | None,
    tag: Reference | None,
    origin: Origin,
    progress: Callable[[str], None],
) -> tuple[Reference, Packed]:
    """Pack a project that stands in a workspace, under a name, which is given too.

    Parameters
    ----------
    tag : Reference, optional
        What to call the bundle; by default the project's name.
    """
    reference = tag or Reference.parse(project.project.name)
    packed = pack_project(
        home,
        store,
        project,
        lock,
        wheels=wheels,
        names=(reference,),
        origin=origin,
        progress=progress,
    )
    return reference, packed


def _laid_out(store: Store, run: Run, choice: Choice, folder: Path) -> tuple[Project, Lock]:
    """Write what a run kept, and the model that it wrote, as a project; give it with its lock."""
    if run.record.status != FINISHED:
        raise InvalidProject(
            f"The run {run.name} failed, so it has no model.", hint="See 'samovar runs'."
        )
    folder.mkdir()
    _write(store, run.record.kept, folder)
    project = choice.apply(_project_of(run.record, folder), run.record.outputs)
    _write(store, [_model_file(run.record, project)], folder)
    return project, lock_of_run(store, run.record)


def with_examples(project: Project, given: Path) -> Project:
    """Copy a file of example rows into a project in a workspace, and give the project with it.

    Raises
    ------
    NotFound
        Where there is no such file.
    """
    if not given.is_file():
        raise NotFound(f"There is no file {given}.", hint="--examples names a file of rows.")
    name = f"given-examples{given.suffix}"
    shutil.copyfile(given, project.folder / name)
    return replace(project, examples=ExamplesSection(path=name))


def _project_of(record: RunRecord, folder: Path) -> Project:
    if (folder / FILE).is_file():
        return read_project(folder)
    minor = ".".join(record.python.split(".")[:2])
    return Project(
        folder=folder, project=ProjectSection(name=record.project, python=minor), model=None
    )


def _model_file(record: RunRecord, project: Project) -> RunFile:
    path = model_section(project).path
    for file in record.outputs:
        if file.path == path:
            return file
    raise _which_output(record.outputs, path)


def _which_output(outputs: Sequence[RunFile], path: str | None = None) -> InvalidModel:
    listed = ", ".join(file.path for file in outputs)
    wrong = "The run does not say which output is its model."
    return InvalidModel(
        wrong if path is None else f"The run did not write {path}.",
        why=f"It wrote {listed}." if listed else "It names no outputs.",
        hint="Give --model PATH."
        if listed
        else "Name the model in [train] outputs of samovar.toml, and train again.",
        code="no_model",
    )


def _write(store: Store, files: Sequence[RunFile], folder: Path) -> None:
    for file in files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as written:
            written.writelines(read_file(store, file))
