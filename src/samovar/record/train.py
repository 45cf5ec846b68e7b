"""Run a project's training command in a clean copy, and record what went in and what came out."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from samovar.compare.runs import compare_metrics, compare_predictions
from samovar.compare.verdict import DIFFERENT
from samovar.core.run import FAILED, FINISHED
from samovar.errors import Refused, ScriptFailed
from samovar.record.chunks import store_file
from samovar.record.inputs import train_section
from samovar.record.keeping import keep_for_bundle
from samovar.record.known_files import Original
from samovar.record.preparing import Work, inputs_record, prepare
from samovar.record.runs import Run, new_name, store_run
from samovar.record.seeds import find_suspects
from samovar.record.unrecorded import describe_access, unrecorded_access
from samovar.record.workspace import Done, FailedExecution, copy_back, run_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from samovar.core.run import RunRecord
    from samovar.project.config import Project
    from samovar.record.execute import Execution
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]
    Clock = Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """How to train.

    Parameters
    ----------
    settings : mapping of str to object
        Parameters by dotted path.
    name : str, optional
        Of the run.
    repeat : int
        How often to run in all; more than once says whether the result is repeatable.
    strict_numerics : bool
        Pin what differs between processors.
    strict : bool
        Refuse a run that read project files which are not declared.
    timeout_s : float, optional
        The command is ended after so many seconds.
    show : bool
        Pass the command's output on.
    copy_back : bool
        Put what the command wrote into the project too.
    """

    settings: Mapping[str, Any]
    name: str | None = None
    repeat: int = 1
    strict_numerics: bool = False
    strict: bool = False
    timeout_s: float | None = None
    show: bool = True
    copy_back: bool = True


def train(
    home: Home,
    store: Store,
    project: Project,
    options: TrainOptions,
    *,
    clock: Clock,
    progress: Progress,
) -> Run:
    """Train once, or several times, and store the run.

    Parameters
    ----------
    project : Project
        Has a ``[train]`` section.
    options : TrainOptions
        How.
    clock : callable
        Gives the time now, UTC, ``2026-01-31T12:00:00Z``.
    progress : callable
        Is told what is going on.

    Returns
    -------
    Run
        As stored; its metrics, predictions and outputs lie in the project too.

    Raises
    ------
    ScriptFailed
        Where the command fails; the failed run is stored, and nothing of the project is changed.
    Refused
        Where it read what is not declared, and ``strict`` was asked for.
    """
    train_section(project)
    name = options.name or new_name(store, project.project.name)
    with home.workspace() as workspace:
        work = prepare(
            home,
            store,
            project,
            options.settings,
            strict_numerics=options.strict_numerics,
            workspace=workspace,
            progress=progress,
        )
        started = clock()
        try:
            finished = _repeat(store, work, options, workspace, progress)
        except FailedExecution as error:
            record = _record(store, work, started, error.execution)
            missed = describe_access(error.watched, work.spec, project.folder, workspace / "run-1")
            failed = replace(record, status=FAILED, warnings=tuple(missed))
            store_run(store, name, failed, extra=work.wheels)
            raise _with_hint(error, missed) from error
        record = _finished_record(store, work, started, finished)
        if options.strict:
            _refuse_unrecorded(unrecorded_access(finished[0], work.spec, project.folder))
        run = store_run(store, name, record, extra=work.wheels)
        if options.copy_back:
            copy_back(finished[0], work.spec, project.folder)
    return run


def _repeat(
    store: Store, work: Work, options: TrainOptions, workspace: Path, progress: Progress
) -> list[Done]:
    finished = []
    for number in range(1, options.repeat + 1):
        of = f" ({number} of {options.repeat})" if options.repeat > 1 else ""
        progress(f"Running {work.spec.command}{of}")
        finished.append(
            run_spec(
                store,
                work.spec,
                work.venv,
                workspace / f"run-{number}",
                timeout_s=options.timeout_s,
                show=options.show and number == 1,
                originals=work.inputs.originals,
            )
        )
    return finished


def _record(store: Store, work: Work, started: str, execution: Execution) -> RunRecord:
    """Add to what went in how the command ended."""
    return replace(
        inputs_record(store, work),
        stdout=store.put_bytes(execution.stdout),
        stderr=store.put_bytes(execution.stderr),
        started=started,
        seconds=round(execution.seconds, 3),
        peak_memory_bytes=execution.peak_memory_bytes,
    )


def _finished_record(store: Store, work: Work, started: str, finished: Sequence[Done]) -> RunRecord:
    first, spec = finished[0], work.spec
    warnings = [
        *first.metrics.warnings,
        *unrecorded_access(first, spec, work.project.folder),
        *_changed_data(work, first),
    ]
    repeatable, noise, reasons = _repeatability(store, work, finished)
    kept, left_out = keep_for_bundle(store, work.project)
    predictions = None
    if spec.predictions_path is not None:
        path = first.folder / spec.predictions_path
        predictions = store_file(store, path, spec.predictions_path)
    return replace(
        _record(store, work, started, first.execution),
        status=FINISHED,
        metrics=first.metrics.values,
        predictions=predictions,
        outputs=tuple(store_file(store, first.folder / path, path) for path in spec.outputs),
        kept=kept,
        repeatable=repeatable,
        noise=noise,
        warnings=(*warnings, *reasons, *left_out),
    )


def _changed_data(work: Work, done: Done) -> list[str]:
    """Name data that the command wrote into, or that changed in the project while it ran."""
    warnings = []
    for file in work.inputs.data:
        copy = Original(path=done.folder / file.path, signature=done.laid_out[file.path])
        if not copy.still_is(file.digest):
            warnings.append(
                f"the command changed its data {file.path}; the record has the original"
            )
        if not work.inputs.originals[file.path].still_is(file.digest):
            warnings.append(f"{file.path} changed in the project while the command ran")
    return warnings


def _repeatability(
    store: Store, work: Work, finished: Sequence[Done]
) -> tuple[bool | None, dict[str, float], list[str]]:
    """Say whether repetitions gave the same, how much metrics moved, and the likely reasons."""
    if len(finished) < 2:
        return None, {}, []
    first = finished[0]
    verdicts = [
        compare_metrics(first.metrics.values, other.metrics.values).verdict
        for other in finished[1:]
    ]
    verdicts += [
        compare_predictions(first.predictions, other.predictions).verdict
        for other in finished[1:]
        if first.predictions is not None and other.predictions is not None
    ]
    noise = {}
    for name in first.metrics.values:
        values = [done.metrics.values.get(name) for done in finished]
        numbers = [value for value in values if value is not None]
        noise[name] = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    if DIFFERENT not in verdicts:
        return True, noise, []
    sources = {
        path: b"".join(_bytes(store, work, path)).decode("utf-8", "replace")
        for path in work.spec.code
        if path.endswith(".py")
    }
    suspects = find_suspects(sources, hash_seed=work.spec.env.get("PYTHONHASHSEED"))
    return False, noise, [f"not repeatable; likely: {suspect}" for suspect in suspects]


def _bytes(store: Store, work: Work, path: str) -> list[bytes]:
    from samovar.record.chunks import read_file

    content = work.spec.code[path]
    return [content] if isinstance(content, bytes) else list(read_file(store, content))


def _refuse_unrecorded(warnings: Sequence[str]) -> None:
    if warnings:
        raise Refused(
            "The command read what is not declared.",
            why="\n".join(warnings),
            hint="Add the files to [train] data or code, or leave --strict out.",
            code="undeclared_read",
        )


def _with_hint(error: ScriptFailed, missed: Sequence[str]) -> ScriptFailed:
    """Tell that a file was not there because nobody declared it."""
    if not missed:
        return error
    return ScriptFailed(
        error.message,
        why="\n".join([*([error.why] if error.why else []), *missed]),
        hint="It ran in a copy that has only what [train] code and data name; add the file there.",
        code=error.code,
    )
