"""Make a recorded run again, from the record alone, and compare what comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from samovar.compare.runs import compare_metrics, compare_predictions, verdict_of
from samovar.compare.verdict import DIFFERENT, IDENTICAL
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.env.blas import blas_facts
from samovar.env.interpreters import find_interpreter
from samovar.env.lock import Lock
from samovar.env.machine import machine_facts
from samovar.errors import Damaged, UserError
from samovar.record.chunks import read_file, store_file
from samovar.record.environments import compose_lock, environment_of, packages_of
from samovar.record.inputs import parse_setting, set_parameter
from samovar.record.predictions import read_predictions
from samovar.record.spec import Spec
from samovar.record.workspace import numeric_variables, run_spec
from samovar.store.digests import digest_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from samovar.compare.runs import MetricsComparison
    from samovar.compare.verdict import Comparison
    from samovar.core.receipt import Tensor
    from samovar.core.run import RunRecord
    from samovar.record.runs import Run
    from samovar.record.workspace import Done
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came out when a run was made again.

    Parameters
    ----------
    metrics : MetricsComparison
        Recorded and observed.
    predictions : Comparison or None
        None where the run has none.
    outputs : tuple of pair of str and bool
        Path, and whether every byte is the same.
    machine : tuple of str
        Facts of this machine that are not the recorded one's.
    """

    metrics: MetricsComparison
    predictions: Comparison | None
    outputs: tuple[tuple[str, bool], ...]
    machine: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The worst of the parts; an output with other bytes is DIFFERENT only beside others."""
        verdicts = [self.metrics.verdict]
        if self.predictions is not None:
            verdicts.append(self.predictions.verdict)
        whole = verdict_of(verdicts)
        same = all(identical for _, identical in self.outputs)
        return "EQUIVALENT" if whole == IDENTICAL and not same else whole

    def to_json(self) -> dict[str, Any]:
        """Give CONTRACT's fields."""
        compared = self.predictions
        return {
            "verdict": self.verdict,
            "metrics": self.metrics.to_json(),
            "predictions": None if compared is None else {
                "max_relative_difference": compared.max_relative_difference,
                "labels_changed": compared.labels_changed,
            },
            "outputs": [{"path": path, "identical": same} for path, same in self.outputs],
            "machine": list(self.machine),
        }  # fmt: skip


def reproduce(
    home: Home,
    store: Store,
    run: Run,
    *,
    changes: Sequence[str] = (),
    strict_numerics: str | None = None,
    timeout_s: float | None,
    show: bool,
    progress: Progress,
) -> Reproduction:
    """Execute a run's record anew; the project's folder is not needed.

    Parameters
    ----------
    run : Run
        What is made again.
    changes : sequence of str
        Each changes one thing: ``PARAM=VALUE``, ``package==version`` or ``data/FILE=PATH``.
    strict_numerics : str, optional
        Numeric level to pin instead of the recorded one.
    timeout_s : float, optional
        The command is ended after so many seconds.
    show : bool
        Pass the command's output on.

    Raises
    ------
    Damaged
        Where data is not kept any more, its digest named.
    ScriptFailed
        Where the command fails here.
    """
    with home.workspace() as workspace:
        (workspace / "resolve").mkdir()
        spec = spec_of_run(store, run.record)
        spec = _changed(store, spec, changes, workspace / "resolve")
        if strict_numerics is not None:
            spec = replace(spec, numerics=strict_numerics)
        venv = environment_of(home, store, spec.lock, spec.minor, progress=progress)
        progress(f"Running {spec.command}")
        done = run_spec(store, spec, venv, workspace / "run", timeout_s=timeout_s, show=show)
        found = _compare(store, run.record, done, workspace)
        if found.verdict != DIFFERENT:
            return found
        facts = machine_facts()
        facts["blas"] = blas_facts(venv.interpreter, numeric_variables(spec, venv))
        return replace(found, machine=tuple(_other_facts(run.record, facts)))


def spec_of_run(store: Store, record: RunRecord) -> Spec:
    """Give what a record says was executed.

    Raises
    ------
    Damaged
        Where its lock is not kept.
    """
    return Spec(
        command=record.command,
        python=record.python,
        lock=lock_of_run(store, record),
        code={file.path: file for file in record.code},
        data={file.path: file for file in record.data},
        params=record.params,
        params_path=record.params_path,
        params_env=record.params_env,
        metrics_path=record.metrics_path,
        predictions_path=None if record.predictions is None else record.predictions.path,
        outputs=tuple(file.path for file in record.outputs),
        env=record.env,
        threads=None,
        numerics=record.numerics,
    )


def lock_of_run(store: Store, record: RunRecord) -> Lock:
    """Read a run's lock."""
    if record.lock is None:
        raise Damaged("The run has no lock, so its environment cannot be made again.")
    path = store.blob_path(record.lock)
    if not path.is_file():
        raise Damaged(f"The run's lock {record.lock} is missing from the store.")
    size = path.stat().st_size
    return Lock.from_bytes(
        store.read_blob(
            Descriptor(media_type="application/toml", digest=record.lock, size_bytes=size)
        )
    )


def predictions_of_run(store: Store, record: RunRecord, folder: Path) -> tuple[Tensor, ...] | None:
    """Read a run's predictions; None where it has none.

    Parameters
    ----------
    folder : Path
        Where the file may be written for reading.
    """
    if record.predictions is None:
        return None
    path = folder / f"recorded-{Digest.of(record.predictions.path.encode()).short}"
    path = path.with_suffix("." + record.predictions.path.rpartition(".")[2])
    with path.open("wb") as file:
        for piece in read_file(store, record.predictions):
            file.write(piece)
    return read_predictions(path, record.predictions.path)


def _compare(store: Store, record: RunRecord, done: Done, workspace: Path) -> Reproduction:
    predictions = None
    recorded = predictions_of_run(store, record, workspace)
    if recorded is not None and done.predictions is not None:
        predictions = compare_predictions(recorded, done.predictions)
    metrics = compare_metrics(record.metrics, done.metrics.values)
    outputs = tuple(
        (file.path, digest_file(done.folder / file.path) == file.digest) for file in record.outputs
    )
    return Reproduction(metrics=metrics, predictions=predictions, outputs=outputs, machine=())


def _other_facts(record: RunRecord, here: Mapping[str, Any]) -> list[str]:
    """Name the facts that can move a result and are others here."""
    return [
        f"{name}: recorded {record.machine[name]}, here {here.get(name)}"
        for name in ("architecture", "cpu", "threads", "blas", "libc", "gpus")
        if name in record.machine and record.machine[name] != here.get(name)
    ]


def _changed(store: Store, spec: Spec, changes: Sequence[str], workspace: Path) -> Spec:
    """Apply counterfactual changes, each of which names one thing."""
    for change in changes:
        if "==" in change:
            spec = _with_package(spec, change, workspace)
            continue
        key, value = parse_setting(change)
        path = change.partition("=")[0]
        if path in spec.data:
            from pathlib import Path as Local

            source = Local(change.partition("=")[2])
            if not source.is_file():
                raise UserError(f"There is no file {source}.", hint=f"Give {path}=FILE.")
            spec = replace(spec, data={**spec.data, path: store_file(store, source, path)})
        else:
            params = _copied(spec.params)
            set_parameter(params, key, value)
            spec = replace(spec, params=params)
    return spec


def _copied(params: Any) -> dict[str, Any]:
    from copy import deepcopy

    return deepcopy(dict(params))


def _with_package(spec: Spec, change: str, workspace: Path) -> Spec:
    name, _, version = change.partition("==")
    interpreter = find_interpreter(spec.minor)
    packages = packages_of(spec.lock, interpreter)
    name = name.strip().lower().replace("_", "-")
    if name not in packages:
        raise UserError(
            f"The run's environment has no {name}.",
            hint=f"It has {', '.join(sorted(packages))}.",
        )
    packages[name] = version.strip()
    lock = compose_lock([spec.lock], packages, interpreter=interpreter, workspace=workspace)
    return replace(spec, lock=lock)
