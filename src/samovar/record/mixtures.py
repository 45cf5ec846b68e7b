"""Execute mixtures of two runs for ``why``, at once where the machine allows, each only once.

Every outcome is kept under the digest of all that the execution depended on, so that another
``why`` over the same runs, or over others that share a mixture, executes nothing again.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.blend import Blend, blend
from samovar.compare.facts import Facts, facts_of_run
from samovar.compare.runner import FAILED, OK, TIMEOUT, UNINSTALLABLE, Mixture, Outcome, Request
from samovar.compare.words import listed_changes
from samovar.core.numerics import NATIVE
from samovar.core.receipt import Tensor
from samovar.env.interpreters import find_interpreter
from samovar.env.machine import cpus
from samovar.errors import Damaged, SamovarError
from samovar.record.chunks import read_file
from samovar.record.environments import (
    check_together,
    compose_lock,
    environment_of,
    packages_of,
    published_between,
)
from samovar.record.reproduce import lock_of_run
from samovar.record.spec import Spec
from samovar.record.workspace import FailedExecution, run_spec
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from samovar.env.lock import Lock
    from samovar.env.venv import Venv
    from samovar.record.runs import Run
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

_CACHE: Final = "outcomes"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    run: Run
    facts: Facts
    lock: Lock


class RecordRunner:
    """Runs mixtures of two recorded runs; a ``Runner`` and a ``Material`` of compare/runner.py.

    Parameters
    ----------
    a, b : Run
        The two runs.
    timeout_s : float, optional
        A mixture is ended after so many seconds.
    progress : callable
        Is told what is going on.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        a: Run,
        b: Run,
        *,
        timeout_s: float | None,
        progress: Progress,
    ) -> None:
        self._home, self._store = home, store
        self._a, self._b = self._side(a), self._side(b)
        self._timeout_s = timeout_s
        self._progress = progress
        self._stop = Event()
        self._cache = home.cache(_CACHE)
        self._known: dict[str, Venv | str] = {}

    # Runner

    def run(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Outcome]]:
        """Execute requests and give outcomes as they come; each is stored before it is given."""
        if not requests:
            return
        with ThreadPoolExecutor(max(1, min(len(requests), cpus()))) as pool:
            waiting = {pool.submit(self.outcome, request): request for request in requests}
            try:
                for done in as_completed(waiting):
                    yield waiting[done], done.result()
            except BaseException:
                # What is running would otherwise be waited for, however long it takes.
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    # Material

    def read(self, side: str, path: str) -> bytes | None:
        """Give a code or data file of a side; None where it is not kept."""
        facts = self._a.facts if side == "a" else self._b.facts
        file = facts.code.get(path) or facts.data.get(path)
        if file is None:
            return None
        try:
            return b"".join(read_file(self._store, file))
        except Damaged:
            return None

    def versions(self, package: str, a: str, b: str) -> Sequence[str]:
        """Give the published versions strictly between two, from A's to B's."""
        return published_between(package, a, b, find_interpreter(_minor(self._a.facts.python)))

    # Inside

    def _side(self, run: Run) -> _Side:
        return _Side(
            run=run, facts=facts_of_run(run.record), lock=lock_of_run(self._store, run.record)
        )

    def outcome(self, request: Request) -> Outcome:
        """Execute one request here, unless its outcome is stored."""
        mixed = blend(self._a.facts, self._b.facts, request.mixture)
        try:
            spec, venv = self._prepare(mixed)
        except SamovarError as error:
            return Outcome(status=UNINSTALLABLE, executed=False, reason=_line(error))
        key = f"{spec.key().hex}-{request.repetition}"
        stored = self._stored(key)
        if stored is not None:
            return stored
        outcome = self._execute(spec, venv, request.mixture)
        write_file(self._cache / key, json.dumps(outcome_to_json(outcome)).encode())
        return outcome

    def _prepare(self, mixed: Blend) -> tuple[Spec, Venv]:
        minor = _minor(mixed.python)
        interpreter = find_interpreter(minor)
        with self._home.workspace() as workspace:
            locks = [self._a.lock, self._b.lock]
            lock = self._lock_of(mixed, locks, workspace, minor)
        venv = environment_of(self._home, self._store, lock, minor, progress=lambda _text: None)
        self._check(lock, venv)
        record = self._a.run.record
        spec = Spec(
            command=mixed.command,
            python=interpreter.version,
            lock=lock,
            code=mixed.code,
            data=mixed.data,
            params=mixed.params,
            params_path=record.params_path,
            params_env=record.params_env,
            metrics_path=record.metrics_path,
            predictions_path=None if record.predictions is None else record.predictions.path,
            outputs=(),
            env=mixed.env,
            threads=mixed.threads if mixed.numerics == NATIVE else None,
            numerics=mixed.numerics,
        )
        return spec, venv

    def _lock_of(self, mixed: Blend, locks: list[Lock], workspace: Any, minor: str) -> Lock:
        interpreter = find_interpreter(minor)
        for lock in locks:
            if packages_of(lock, interpreter) == dict(mixed.packages):
                return lock
        return compose_lock(locks, mixed.packages, interpreter=interpreter, workspace=workspace)

    def _check(self, lock: Lock, venv: Venv) -> None:
        """Refuse versions that do not fit together, unless a recorded side has them so."""
        if lock in (self._a.lock, self._b.lock):
            return
        key = str(venv.path)
        if key not in self._known:
            self._known[key] = check_together(venv) or venv
        known = self._known[key]
        if isinstance(known, str):
            from samovar.errors import InvalidRequirements

            raise InvalidRequirements("The versions do not fit together.", why=known)

    def _execute(self, spec: Spec, venv: Venv, mixture: Mixture) -> Outcome:
        taken = listed_changes(mixture.taken)
        self._progress(f"Running A with {taken}")
        with self._home.workspace() as workspace:
            try:
                done = run_spec(
                    self._store, spec, venv, workspace / "run",
                    timeout_s=self._timeout_s, show=False, stop=self._stop,
                )  # fmt: skip
            except FailedExecution as error:
                return Outcome(
                    status=TIMEOUT if error.execution.timed_out else FAILED,
                    seconds=error.execution.seconds,
                    reason=_line(error),
                )
        return Outcome(
            status=OK,
            metrics=done.metrics.values,
            predictions=done.predictions,
            seconds=done.execution.seconds,
        )

    def _stored(self, key: str) -> Outcome | None:
        try:
            return outcome_from_json(json.loads((self._cache / key).read_bytes()))
        except (OSError, ValueError, KeyError, SamovarError):
            return None


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _line(error: SamovarError) -> str:
    text = error.message if error.why is None else f"{error.message} {error.why}"
    return " ".join(text.split())[:300]


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Give the stored form."""
    return {
        "status": outcome.status,
        "metrics": dict(outcome.metrics),
        "predictions": None if outcome.predictions is None else [
            tensor.to_json() for tensor in outcome.predictions
        ],
        "seconds": outcome.seconds,
        "reason": outcome.reason,
    }  # fmt: skip


def outcome_from_json(document: dict[str, Any]) -> Outcome:
    """Read a stored outcome; it was not executed just now."""
    predictions = document["predictions"]
    return Outcome(
        status=document["status"],
        metrics=document["metrics"],
        predictions=None if predictions is None else tuple(map(Tensor.from_json, predictions)),
        executed=False,
        seconds=document["seconds"],
        reason=document["reason"],
    )


def recorded_outcome(store: Store, run: Run, folder: Any) -> Outcome:
    """Give what was recorded as an outcome: the zeroth repetition of a side."""
    from samovar.record.reproduce import predictions_of_run

    return Outcome(
        status=OK,
        metrics=run.record.metrics,
        predictions=predictions_of_run(store, run.record, folder),
        executed=False,
        seconds=run.record.seconds,
        run=str(run.digest),
    )
