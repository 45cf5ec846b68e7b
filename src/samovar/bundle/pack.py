"""Pack a project: read, audit, lock, record, store. Nothing is kept unless all of it held."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from samovar.bundle.child import Mismatched, child_variables, numeric_level, run_child
from samovar.bundle.environment import prepare
from samovar.bundle.layers import store_bundle
from samovar.bundle.opened import Bundle, open_bundle
from samovar.bundle.packed_before import find_packed, inputs_digest, remember_packed
from samovar.core import layout
from samovar.core.bundle import BundleDocument, BundleFile, BundleModel
from samovar.core.canonical import canonical_json
from samovar.core.origin import Training
from samovar.core.receipt import Receipt
from samovar.core.signature import Signature
from samovar.env.compiling import compiled_beside
from samovar.errors import EnvironmentMismatch, InvalidModel, InvalidProject
from samovar.model.audit import AuditReport, audit_model, refusal
from samovar.project.examples import Examples, read_examples
from samovar.project.files import Selection, select_code
from samovar.store.digests import digest_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.core.origin import Origin
    from samovar.core.reference import Reference
    from samovar.env.lock import Lock
    from samovar.project.config import ModelSection, Project
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What ``pack`` made.

    Parameters
    ----------
    bundle : Bundle
        As it stands in the store.
    audit : AuditReport
        Of the model file.
    left_out : tuple of tuple of str
        Paths that did not go along, and why.
    reused : bool
        Whether the very same inputs had been packed before.
    """

    bundle: Bundle
    audit: AuditReport
    left_out: tuple[tuple[str, str], ...]
    reused: bool


def pack_project(
    home: Home,
    store: Store,
    project: Project,
    lock: Lock,
    *,
    wheels: Path | None,
    names: tuple[Reference, ...],
    origin: Origin | None = None,
    progress: Progress,
) -> Packed:
    """Make a bundle of a project and its lock, and name it.

    Parameters
    ----------
    home, store : Home, Store
        Where environments are cached, and where the bundle goes.
    project : Project
        ``samovar.toml``.
    lock : Lock
        ``pylock.toml`` as it stands in the project.
    wheels : Path, optional
        Folder of the local packages' wheels that the lock names.
    names : tuple of Reference
        What the bundle is to be called in the store.
    origin : Origin, optional
        What made the model, where that is known.
    progress : callable
        Is told what is going on.

    Raises
    ------
    Refused
        Where the audit of the model refuses it, every global named.
    InvalidProject, InvalidModel, InvalidInput
        Where a file is missing, is no model, or a row does not fit.
    Unavailable
        Where the environment cannot be made here.
    """
    progress("Reading the project")
    model = find_model(project)
    section = model_section(project)
    report = audit_model(model, trusted=section.trusted, factory=section.factory)
    if not report.ok:
        raise refusal(report, model)
    selection = select_code(project)
    examples = project.signature.arrange(find_examples(project))
    inputs = inputs_digest(
        project,
        lock.data,
        examples,
        files=_sources(project, selection),
        wheels=wheels,
        origin=origin,
    )
    known = find_packed(home, store, inputs)
    if known is not None:
        for name in names:
            store.set_name(name, known.descriptor)
        return Packed(bundle=known, audit=report, left_out=selection.left_out, reused=True)
    with home.workspace() as workspace:
        staged = _stage(project, selection, report, lock, wheels, workspace / "staged", origin)
        edits = project.signature.columns
        recorded = _record(home, staged, lock, examples, edits, workspace, progress)
        _finish(staged, recorded)
        progress("Storing the bundle")
        descriptor = store_bundle(store, staged, names)
    remember_packed(home, inputs, descriptor.digest)
    return Packed(
        bundle=open_bundle(store, descriptor),
        audit=report,
        left_out=selection.left_out,
        reused=False,
    )


def find_model(project: Project) -> Path:
    """Give the path of the project's model file.

    Raises
    ------
    InvalidModel
        Where there is none.
    """
    path = project.folder / model_section(project).path
    if not path.is_file():
        raise InvalidModel(
            f"There is no model file {model_section(project).path} in {project.folder}.",
            hint="Train it first, or set [model] path in samovar.toml.",
            code="no_model",
        )
    return path


def model_section(project: Project) -> ModelSection:
    """Give the project's ``[model]``.

    Raises
    ------
    InvalidModel
        Where samovar.toml has none.
    """
    if project.model is None:
        raise InvalidModel(
            "samovar.toml names no model.",
            hint="Write [model] and path = \"models/model.pkl\", or run 'samovar init'.",
            code="no_model",
        )
    return project.model


def find_examples(project: Project) -> Examples:
    """Read the project's reference inputs.

    Raises
    ------
    InvalidProject
        Where the project names none: without them nothing could be proven.
    """
    if project.examples.path is None:
        raise InvalidProject(
            "The project has no example rows, so a bundle could prove nothing.",
            hint="Write a few rows that the model takes into examples.json, for instance "
            '[[1, 0, 1, 24]], and set [examples] path = "examples.json" in samovar.toml.',
            code="no_examples",
        )
    examples = read_examples(project.folder / project.examples.path)
    if not examples.rows:
        raise InvalidProject(
            f"{project.examples.path} has no rows.",
            hint="Write at least one row that the model takes.",
            code="no_examples",
        )
    return examples


def _sources(project: Project, selection: Selection) -> dict[str, Path]:
    paths = [model_section(project).path, *selection.included]
    return {path: project.folder / path for path in paths}


def _stage(
    project: Project,
    selection: Selection,
    report: AuditReport,
    lock: Lock,
    wheels: Path | None,
    folder: Path,
    origin: Origin | None,
) -> Path:
    """Copy what goes into the bundle into a folder that looks like one unpacked."""
    model = model_section(project)
    files: list[BundleFile] = []
    for path, source in _sources(project, selection).items():
        copy = folder / layout.PROJECT / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
        kind = "model" if path == model.path else "code"
        files.append(_describe(path, copy, kind))
    if wheels is not None:
        (folder / layout.WHEELS).mkdir()
        for wheel in sorted(wheels.glob("*.whl")):
            copy = folder / layout.WHEELS / wheel.name
            shutil.copyfile(wheel, copy)
            files.append(_describe(f"{layout.WHEELS}/{wheel.name}", copy, "wheel"))
    (folder / layout.LOCK).write_bytes(lock.data)
    document = BundleDocument(
        name=project.project.name,
        version=project.project.version,
        python=project.project.python,
        model=BundleModel(
            path=model.path,
            format=report.format,
            method=model.method,
            trusted=model.trusted,
            factory=model.factory,
        ),
        signature=Signature(container="array", inputs=(), outputs=()),
        app=project.service.app,
        message=project.service.message,
        files=tuple(sorted(files, key=lambda file: file.path)),
        origin=origin,
    )
    (folder / layout.DOCUMENT).write_bytes(canonical_json(document.to_json()))
    return folder


def _describe(path: str, file: Path, kind: str) -> BundleFile:
    return BundleFile(
        path=path, digest=digest_file(file), size_bytes=file.stat().st_size, kind=kind
    )


def _record(
    home: Home,
    staged: Path,
    lock: Lock,
    examples: Examples,
    edits: dict[str, dict[str, Any]],
    workspace: Path,
    progress: Progress,
) -> dict[str, Any]:
    document = BundleDocument.from_json(json.loads((staged / layout.DOCUMENT).read_bytes()))
    prepared = prepare(home, document, lock.data, unpacked=staged, progress=progress)
    progress("Recording predictions")
    level = numeric_level()
    variables = child_variables(level)
    job = {
        "verb": "record",
        "bundle": str(staged),
        "wanted": prepared.wanted,
        "columns": examples.described,
        "rows": examples.rows,
        "edits": edits,
        "numerics": level,
    }
    with compiled_beside(prepared.interpreter, variables):
        answer = run_child(
            prepared.interpreter.path,
            prepared.runtime,
            job,
            workspace=workspace,
            variables=variables,
        )
    if isinstance(answer, Mismatched):
        raise EnvironmentMismatch(
            "The environment made from the lock does not answer it.",
            why="; ".join(str(mismatch) for mismatch in answer.mismatches),
            hint="Remove SAMOVAR_HOME's envs folder and pack again.",
        )
    return answer


def _finish(staged: Path, recorded: dict[str, Any]) -> None:
    """Write the signature and the receipt beside the rest, in their canonical form."""
    receipt = Receipt.from_json(recorded["receipt"])
    signature = Signature.from_json(recorded["signature"])
    document = BundleDocument.from_json(json.loads((staged / layout.DOCUMENT).read_bytes()))
    document = replace(
        document,
        signature=signature,
        model=replace(document.model, library=str(recorded["model"]["library"])),
    )
    if isinstance(document.origin, Training):
        receipt = replace(receipt, trained_on=document.origin.trained_on())
    (staged / layout.DOCUMENT).write_bytes(canonical_json(document.to_json()))
    (staged / layout.RECEIPT).write_bytes(canonical_json(receipt.to_json()))
