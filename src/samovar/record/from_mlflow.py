"""Take over a model of MLflow: its file, its code, its environment, its example rows.

Nothing of MLflow is executed: its description is read, and the model is audited like any other.

References
----------
MLflow documentation, "MLflow Model" (storage format).
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Final

from samovar.bundle.locking import lock_project
from samovar.core.origin import Imported
from samovar.env.requirements import read_requirements
from samovar.errors import Damaged, InvalidProject, InvalidRequirements
from samovar.project.config import ExamplesSection, ModelSection, Project, ProjectSection
from samovar.record.mlflow_description import MlflowModel, read_model
from samovar.record.mlflow_models import fetch_model
from samovar.record.packing import pack_as, with_examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from samovar.bundle.pack import Packed
    from samovar.core.reference import Reference
    from samovar.store.home import Home
    from samovar.store.layout import Store

_MLFLOW: Final = re.compile(r"mlflow(-skinny|-tracing)?\s*(\[|[<>=!~;@]|$)")
_EXAMPLES: Final = "examples.json"


def pack_mlflow(
    home: Home,
    store: Store,
    address: str,
    *,
    tag: Reference | None,
    examples: Path | None,
    progress: Callable[[str], None],
) -> tuple[Reference, Packed]:
    """Make a bundle of a model of MLflow.

    Parameters
    ----------
    address : str
        As :func:`samovar.record.mlflow_models.fetch_model` takes it.
    tag : Reference, optional
        What to call the bundle; by default the model's name.
    examples : Path, optional
        Example rows, instead of the model's own.
    progress : callable
        Is told what is going on.

    Returns
    -------
    tuple of Reference and Packed
        The bundle's name, and the bundle.

    Raises
    ------
    InvalidModel, InvalidRequirements, InvalidProject
        Where the description, the environment or the example rows are missing or unusable.
    Refused
        Where the audit refuses the model.
    """
    with home.workspace() as workspace:
        source = fetch_model(address, workspace / "downloaded", progress=progress)
        model = read_model(source, _name_of(address, source))
        project = _project(model, workspace / "project")
        if examples is not None:
            project = with_examples(project, examples)
        (workspace / "lock").mkdir()
        locked = lock_project(
            home, project, upgrade=None, workspace=workspace / "lock", progress=progress
        )
        return pack_as(
            home,
            store,
            project,
            locked.lock,
            wheels=None,
            tag=tag,
            origin=Imported(tool="mlflow", facts=model.facts),
            progress=progress,
        )


def _project(model: MlflowModel, folder: Path) -> Project:
    """Write the model as a project of samovar's."""
    folder.mkdir()
    for source, path in _files(model):
        if not source.resolve().is_relative_to(model.folder.resolve()):
            raise Damaged(f"{path} in the model's folder is a link that leads out of it.")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    _write_requirements(model, folder)
    if model.rows is not None:
        (folder / _EXAMPLES).write_text(json.dumps(model.rows), encoding="utf-8")
    return Project(
        folder=folder,
        project=ProjectSection(name=model.name, python=model.python),
        model=ModelSection(path=model.file, method=model.method),
        examples=ExamplesSection(path=None if model.rows is None else _EXAMPLES),
    )


def _files(model: MlflowModel) -> Iterator[tuple[Path, str]]:
    yield model.folder / model.file, model.file
    if model.code is not None:
        code = model.folder / model.code
        for path in sorted(code.rglob("*.py")):
            relative = path.relative_to(code).as_posix()
            if relative != model.file:
                yield path, relative


def _write_requirements(model: MlflowModel, folder: Path) -> None:
    """Write what the model's environment asks for, without MLflow, which loads it no more.

    Raises
    ------
    InvalidRequirements
        Where it says nothing, or would build what lies in the model's folder.
    """
    for name in ("requirements.txt", "conda.yaml"):
        if (model.folder / name).is_file():
            found = read_requirements((name,), model.folder)
            break
    else:
        raise InvalidRequirements(
            "The model of MLflow has neither requirements.txt nor conda.yaml.",
            hint="Save it again with pip_requirements=[...].",
            code="no_requirements",
        )
    if found.local:
        raise InvalidRequirements(
            f"{name} of the model names a folder, which would be built and so executed.",
            hint="Publish that package, or pack the project itself.",
        )
    if found.options:
        raise InvalidRequirements(
            f"{name} of the model chooses where packages come from: {found.options[0]}.",
            hint="Configure the index for uv or pip on this machine instead.",
        )
    lines = [one for one in found.specifiers if _MLFLOW.match(one) is None]
    if found.constraints:
        (folder / "constraints.txt").write_text("\n".join([*found.constraints, ""]), "utf-8")
        lines.insert(0, "-c constraints.txt")
    (folder / "requirements.txt").write_text("\n".join([*lines, ""]), "utf-8")


def _name_of(address: str, folder: Path) -> str:
    """Call the bundle as the registry calls the model, or as its folder is called."""
    registered = re.match(r"models:/(?!m-)([^/@]+)", address)
    text = registered[1] if registered else folder.resolve().name
    if address.startswith("runs:"):
        text = address.rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name:
        raise InvalidProject(f"{address!r} gives no name.", hint="Give one by --tag NAME.")
    return name
