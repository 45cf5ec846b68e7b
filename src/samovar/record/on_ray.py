"""Execute mixtures on the nodes of a running Ray cluster, for searches whose runs take hours.

Each node needs samovar, the Pythons of the runs, and nothing of the project: code, data and locks
go there by digest, once, and each node makes the environments from the lock in a home of its own.
An outcome is stored here as it arrives, so that a lost node loses none; what ran there is run
again elsewhere.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.cluster import connect_ray
from samovar.compare.runner import UNINSTALLABLE
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.errors import Damaged, SamovarError, Unavailable
from samovar.record.mixtures import RecordRunner, outcome_from_json, outcome_to_json
from samovar.record.runs import read_run
from samovar.store.atomic import write_file
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from samovar.compare.runner import Outcome, Request
    from samovar.core.descriptor import Descriptor
    from samovar.record.runs import Run

_CACHE: Final = "outcomes"
_RETRIES: Final = 5
"""How many nodes may be lost under one execution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """What a node needs in order to run any mixture of two runs.

    Parameters
    ----------
    a, b : Descriptor
        The runs.
    blobs : tuple of bytes
        All that they are made of.
    timeout_s : float, optional
        An execution is ended after so many seconds.
    """

    a: Descriptor
    b: Descriptor
    blobs: tuple[bytes, ...]
    timeout_s: float | None


class RayRunner:
    """Runs mixtures of two recorded runs on a cluster; a ``Runner`` of compare/runner.py.

    A context manager: leaving it leaves the cluster.

    Parameters
    ----------
    a, b : Run
        The two runs.
    timeout_s : float, optional
        An execution is ended after so many seconds.
    progress : callable
        Is told what is going on.

    Raises
    ------
    Unavailable
        Where Ray is not installed, or no cluster answers.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        a: Run,
        b: Run,
        *,
        timeout_s: float | None,
        progress: Callable[[str], None],
    ) -> None:
        self._ray = connect_ray()
        # Ray writes news of its nodes to stdout, which is the answer's alone.
        self._quiet = redirect_stdout(sys.stderr)
        self._progress = progress
        self._cache = home.cache(_CACHE)
        self._pair = [str(a.digest), str(b.digest)]
        self._cargo = self._ray.put(
            Cargo(
                a=a.descriptor,
                b=b.descriptor,
                blobs=tuple(_blobs(store, [a.descriptor, b.descriptor])),
                timeout_s=timeout_s,
            )
        )
        # A node that is lost is no failure of the script: it runs again on another.
        self._task = self._ray.remote(num_cpus=1, max_retries=_RETRIES)(execute_there)

    def __enter__(self) -> RayRunner:
        self._quiet.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()
        self._quiet.__exit__(None, None, None)

    def run(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Outcome]]:
        """Execute requests on the cluster and give outcomes as they come."""
        waiting: dict[Any, Request] = {}
        try:
            for request in requests:
                stored = self._stored(request)
                if stored is not None:
                    yield request, stored
                else:
                    waiting[self._task.remote(self._cargo, request)] = request
            while waiting:
                self._progress(f"Running {len(waiting)} mixtures on the cluster")
                done, _ = self._ray.wait(list(waiting), num_returns=1)
                for reference in done:
                    request = waiting.pop(reference)
                    outcome = self._get(reference)
                    self._keep(request, outcome)
                    yield request, outcome
        finally:
            for reference in waiting:
                self._ray.cancel(reference, force=True)

    def _get(self, reference: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, SamovarError):
                raise cause from None
            raise Unavailable("A node of the cluster failed.", why=str(cause)) from error
        except self._ray.exceptions.RayError as error:
            raise Unavailable(
                "The cluster lost an execution on every node that tried it.",
                why=str(error).splitlines()[0],
                hint="Is there enough memory on the nodes? What had finished is kept.",
            ) from error
        return outcome

    def _key(self, request: Request) -> str:
        named = [*self._pair, request.mixture.key, request.repetition]
        return f"ray-{Digest.of(canonical_json(named)).hex}"

    def _stored(self, request: Request) -> Outcome | None:
        try:
            return outcome_from_json(json.loads((self._cache / self._key(request)).read_bytes()))
        except (OSError, ValueError, KeyError, Damaged):
            return None

    def _keep(self, request: Request, outcome: Outcome) -> None:
        if outcome.status != UNINSTALLABLE:
            document = json.dumps(outcome_to_json(outcome)).encode()
            write_file(self._cache / self._key(request), document)


def execute_there(cargo: Cargo, request: Request) -> Outcome:
    """Execute one request on the node that this runs on, in that node's own home."""
    home = Home.locate()
    store = Store(home.store)
    with store.writing():
        for blob in cargo.blobs:
            store.put_bytes(blob)
    runner = RecordRunner(
        home,
        store,
        read_run(store, cargo.a),
        read_run(store, cargo.b),
        timeout_s=cargo.timeout_s,
        progress=lambda _text: None,
    )
    return runner.outcome(request)


def _blobs(store: Store, runs: Sequence[Descriptor]) -> Iterator[bytes]:
    """Give every blob of two runs once."""
    seen: set[Digest] = set()
    for run in runs:
        manifest = store.read_document(run)
        inner = manifest.blobs if isinstance(manifest, Manifest) else ()
        for blob in (run, *inner):
            if blob.digest not in seen:
                seen.add(blob.digest)
                yield store.read_blob(blob)
