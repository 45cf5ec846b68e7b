"""Lay out a clean copy of exactly the recorded code and data, and run the command in it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.facts import THREAD_VARIABLES
from samovar.core.numerics import pinned_variables
from samovar.core.run import RunFile
from samovar.errors import ScriptFailed
from samovar.record.chunks import read_file
from samovar.record.execute import Execution, execute, split_command
from samovar.record.known_files import Signature, copy_unchanged
from samovar.record.metrics import Metrics, read_metrics
from samovar.record.notebooks import cause, failed_cell, without_colours
from samovar.record.predictions import read_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

    from samovar.core.receipt import Tensor
    from samovar.env.venv import Venv
    from samovar.record.known_files import Original
    from samovar.record.spec import Content, Spec
    from samovar.store.layout import Store

WATCH: Final = Path(__file__).parent / "watch"
LOG: Final = "SAMOVAR_WATCH_LOG"
# What brings other code into an interpreter, or names another environment.
_DROPPED: Final = (
    "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV",
    "CONDA_PREFIX",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An execution that ended well, and what it wrote.

    Parameters
    ----------
    folder : Path
        The clean copy, with what the command wrote.
    execution : Execution
        How it ended.
    metrics : Metrics
        What it measured.
    predictions : tuple of Tensor or None
        None where the project has none.
    watched : tuple of pair of str
        Kind and object of what it read outside its copy, connected to or started.
    laid_out : mapping of str to Signature
        Of the data in the copy, before the command ran.
    """

    folder: Path
    execution: Execution
    metrics: Metrics
    predictions: tuple[Tensor, ...] | None
    watched: tuple[tuple[str, str], ...]
    laid_out: Mapping[str, Signature]


def lay_out(
    store: Store, spec: Spec, folder: Path, originals: Mapping[str, Original] | None = None
) -> None:
    """Write the code, the data and the parameters into an empty folder.

    Parameters
    ----------
    originals : mapping of str to Original, optional
        Files that the stored ones were read from: while unchanged they are copied instead, by the
        file system's own means.

    Raises
    ------
    Damaged
        Where data is not kept any more, its digest named.
    """
    for path, content in {**spec.code, **spec.data}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        original = (originals or {}).get(path)
        if original is None or not copy_unchanged(original, target):
            _write(store, content, target)
    if spec.params_path is not None:
        target = folder / spec.params_path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_params_text(spec.params, target.suffix), encoding="utf-8")
    for written in (spec.metrics_path, spec.predictions_path, *spec.outputs):
        if written is not None:
            # A script that writes into a folder of the project expects the folder to be there.
            (folder / written).parent.mkdir(parents=True, exist_ok=True)


def _write(store: Store, content: Content, target: Path) -> None:
    with target.open("wb") as file:
        if isinstance(content, RunFile):
            for piece in read_file(store, content):
                file.write(piece)
        else:
            file.write(content)


def _params_text(params: Any, ending: str) -> str:
    if ending in {".yaml", ".yml"}:
        import yaml

        text: str = yaml.safe_dump(dict(params), sort_keys=False)
        return text
    if ending == ".toml":
        import tomli_w

        return tomli_w.dumps(dict(params))
    return json.dumps(dict(params), indent=2) + "\n"


def variables_of(spec: Spec, venv: Venv, log: Path) -> dict[str, str]:
    """Give the whole environment of the command."""
    variables = numeric_variables(spec, venv)
    programs = venv.interpreter.path.parent
    variables["PATH"] = os.pathsep.join([str(programs), variables.get("PATH", os.defpath)])
    variables["VIRTUAL_ENV"] = str(venv.path)
    variables["PYTHONPATH"] = str(WATCH)
    variables[LOG] = str(log)
    if spec.params_env is not None:
        variables[spec.params_env] = json.dumps(dict(spec.params))
    return variables


def numeric_variables(spec: Spec, venv: Venv) -> dict[str, str]:
    """Give the variables that decide how the command computes: the caller's, the run's, pins."""
    variables = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    for name, value in spec.env.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    if spec.threads is not None:
        variables.update(dict.fromkeys(THREAD_VARIABLES, str(spec.threads)))
    packages = spec.lock.packages_for(venv.interpreter.markers)
    numpy = next((one.version for one in packages if one.name == "numpy"), None)
    variables.update(pinned_variables(spec.numerics, numpy=numpy))
    return variables


def run_spec(
    store: Store,
    spec: Spec,
    venv: Venv,
    folder: Path,
    *,
    timeout_s: float | None,
    show: bool,
    stop: Event | None = None,
    originals: Mapping[str, Original] | None = None,
) -> Done:
    """Execute a spec in an empty folder.

    Parameters
    ----------
    venv : Venv
        Its environment.
    folder : Path
        Becomes the clean copy; the log of what was read lies beside it.
    timeout_s : float, optional
        The command is ended after so many seconds.
    show : bool
        Pass its output on while it runs.
    stop : threading.Event, optional
        Once it is set, the command is ended.
    originals : mapping of str to Original, optional
        As :func:`lay_out` takes them.

    Raises
    ------
    ScriptFailed
        Where it fails, takes too long, or does not write what it must; ``execution`` is then set
        on the error, for the record of the failed run.
    """
    folder.mkdir()
    log = folder.with_name(folder.name + ".watched")
    lay_out(store, spec, folder, originals)
    laid_out = {path: Signature.of(folder / path) for path in spec.data}
    execution = execute(
        split_command(spec.command, venv.interpreter.path),
        folder=folder,
        variables=variables_of(spec, venv, log),
        timeout_s=timeout_s,
        show=show,
        stop=stop,
    )
    try:
        _check_end(spec, execution, timeout_s, folder)
        metrics = _metrics(spec, folder)
        predictions = None
        if spec.predictions_path is not None:
            predictions = read_predictions(folder / spec.predictions_path, spec.predictions_path)
        _check_outputs(spec, folder)
    except ScriptFailed as error:
        raise FailedExecution(error, execution, read_watched(log)) from error
    return Done(
        folder=folder,
        execution=execution,
        metrics=metrics,
        predictions=predictions,
        watched=read_watched(log),
        laid_out=laid_out,
    )


class FailedExecution(ScriptFailed):
    """A script that failed, with how it ended, for the record of the failed run."""

    def __init__(
        self,
        error: ScriptFailed,
        execution: Execution,
        watched: tuple[tuple[str, str], ...],
    ) -> None:
        super().__init__(error.message, why=error.why, hint=error.hint, code=error.code)
        self.execution = execution
        self.watched = watched


def _metrics(spec: Spec, folder: Path) -> Metrics:
    if spec.metrics_path is None:
        return Metrics(values={}, warnings=("[train] metrics names no file, so none is recorded",))
    return read_metrics(folder / spec.metrics_path, spec.metrics_path)


def _check_end(spec: Spec, execution: Execution, timeout_s: float | None, folder: Path) -> None:
    if execution.timed_out:
        raise ScriptFailed(
            f"{spec.command!r} was ended after {timeout_s:g} s.",
            hint="Give it more time by --timeout, or see in its output where it hung.",
            code="timeout",
        )
    if execution.code != 0:
        said = without_colours(execution.stderr.decode("utf-8", "replace"))
        cell = failed_cell(spec.command, said, folder)
        tail = said.strip().splitlines()[-1:]
        raise ScriptFailed(
            f"{spec.command!r} ended with exit code {execution.code}"
            + ("." if cell is None else f", in {cell}"),
            why=(cell and cause(said)) or (tail[0] if tail else None),
            hint="Its own output above says why; it ran in a copy that has only the files "
            "named in [train] code and data.",
        )


def _check_outputs(spec: Spec, folder: Path) -> None:
    missing = [path for path in spec.outputs if not (folder / path).is_file()]
    if missing:
        raise ScriptFailed(
            f"The script ended well, but it did not write {', '.join(missing)}.",
            hint="Write it below the folder the script runs in, or correct [train] outputs.",
            code="no_output",
        )


def read_watched(log: Path) -> tuple[tuple[str, str], ...]:
    """Read what the watch in the command's Pythons noted, each once and in order."""
    if not log.is_file():
        return ()
    found: dict[tuple[str, str], None] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            kind, what = json.loads(line)
        except ValueError:
            continue
        found[kind, what] = None
    return tuple(found)


def copy_back(done: Done, spec: Spec, project: Path) -> list[str]:
    """Put what the command wrote into the project too, and name it."""
    paths = [path for path in (spec.metrics_path, spec.predictions_path) if path is not None]
    for path in (*paths, *spec.outputs):
        target = project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.unfinished")
        shutil.copyfile(done.folder / path, unfinished)
        unfinished.replace(target)
    return [*paths, *spec.outputs]
