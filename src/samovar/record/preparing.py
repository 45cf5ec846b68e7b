"""Make ready what a training command needs: stored code and data, the lock, its environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.bundle.child import numeric_level
from samovar.bundle.locking import lock_of
from samovar.core.digest import Digest
from samovar.core.numerics import NATIVE, pinned_variables
from samovar.core.run import RunRecord
from samovar.env.blas import blas_facts
from samovar.env.machine import machine_facts
from samovar.record.environments import environment_of, packages_of, wheels_in
from samovar.record.git import git_state
from samovar.record.inputs import Inputs, gather, train_section
from samovar.record.known_files import KnownFiles
from samovar.record.spec import Spec
from samovar.record.workspace import numeric_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from samovar.bundle.locking import Locked
    from samovar.env.venv import Venv
    from samovar.project.config import Project
    from samovar.store.home import Home
    from samovar.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What every repetition of a training command shares.

    Parameters
    ----------
    project : Project
        Has a ``[train]`` section.
    inputs : Inputs
        Its code, data, parameters and variables, stored.
    spec : Spec
        What is executed.
    venv : Venv
        Its environment.
    wheels : tuple of Digest
        The local packages' wheels, stored.
    """

    project: Project
    inputs: Inputs
    spec: Spec
    venv: Venv
    wheels: tuple[Digest, ...]


def prepare(
    home: Home,
    store: Store,
    project: Project,
    settings: Mapping[str, Any],
    *,
    strict_numerics: bool,
    workspace: Path,
    progress: Callable[[str], None],
) -> Work:
    """Lock, store and make all that a project's training command needs; nothing is run.

    Parameters
    ----------
    settings : mapping of str to object
        Parameters by dotted path.
    strict_numerics : bool
        Pin what differs between processors.
    workspace : Path
        An empty folder.
    progress : callable
        Is told what is going on.

    Raises
    ------
    InvalidProject
        Where a file does not exist, naming it.
    """
    (workspace / "lock").mkdir()
    locked = lock_of(home, project, workspace=workspace / "lock", progress=progress)
    progress("Storing code and data")
    inputs = gather(store, KnownFiles(home.cache("files")), project, settings)
    wheels = _store_wheels(store, locked)
    venv = environment_of(home, store, locked.lock, project.project.python, progress=progress)
    return Work(
        project=project,
        inputs=inputs,
        spec=_spec(project, inputs, locked, venv, strict=strict_numerics),
        venv=venv,
        wheels=wheels,
    )


def inputs_record(store: Store, work: Work) -> RunRecord:
    """Record what goes in: all that is known before the command runs."""
    spec = work.spec
    facts = machine_facts()
    facts["blas"] = blas_facts(work.venv.interpreter, numeric_variables(spec, work.venv))
    if spec.numerics != NATIVE:
        facts["threads"] = 1
    return RunRecord(
        project=work.project.project.name,
        command=spec.command,
        python=spec.python,
        lock=store.put_bytes(spec.lock.data),
        packages=packages_of(spec.lock, work.venv.interpreter),
        code=work.inputs.code,
        data=work.inputs.data,
        params=spec.params,
        params_path=spec.params_path,
        params_env=spec.params_env,
        metrics_path=spec.metrics_path,
        predictions_path=spec.predictions_path,
        env=spec.env,
        machine=facts,
        numerics=spec.numerics,
        git=git_state(store, work.project.folder),
    )


def _spec(project: Project, inputs: Inputs, locked: Locked, venv: Venv, *, strict: bool) -> Spec:
    section = train_section(project)
    level = numeric_level() if strict else NATIVE
    env = dict(inputs.env)
    # A pinned level overrides the caller's own variables, so they are no part of the record.
    env.update({name: None for name in pinned_variables(level) if name in env})
    return Spec(
        command=section.command,
        python=venv.interpreter.version,
        lock=locked.lock,
        code={file.path: file for file in inputs.code},
        data={file.path: file for file in inputs.data},
        params=inputs.params,
        params_path=section.params,
        params_env=section.params_env,
        metrics_path=section.metrics,
        predictions_path=section.predictions,
        outputs=section.outputs,
        env=env,
        threads=None,
        numerics=level,
    )


def _store_wheels(store: Store, locked: Locked) -> tuple[Digest, ...]:
    """Keep the local packages' wheels with the run, so that it can be made again elsewhere."""
    for wheel in locked.wheels:
        store.put_bytes(wheel.path.read_bytes())
    return tuple(Digest(f"sha256:{sha256}") for _, sha256 in wheels_in(locked.lock))
