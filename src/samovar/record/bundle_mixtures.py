"""Ask mixtures of two bundles for predictions: model, code, libraries and Python of either.

What is asked are the reference rows of A's receipt, or rows of the user's. Nothing is trained; a
mixture's model is audited like any other before it is loaded.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.child import Mismatched, child_variables, run_child
from samovar.bundle.environment import prepare
from samovar.bundle.opened import unpack_bundle
from samovar.bundle.verify import check_model, replay_level
from samovar.compare.blend import Blend, blend
from samovar.compare.runner import FAILED, OK, UNINSTALLABLE, Mixture, Outcome, Request
from samovar.compare.words import listed_changes
from samovar.core import layout
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.receipt import Tensor
from samovar.env.interpreters import find_interpreter
from samovar.env.lock import Lock
from samovar.errors import Damaged, SamovarError
from samovar.record.environments import compose_lock, packages_of, published_between
from samovar.record.mixtures import outcome_from_json, outcome_to_json
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.core.run import RunFile
    from samovar.record.sides import Side
    from samovar.store.home import Home
    from samovar.store.layout import Store

_CACHE: Final = "outcomes"


class BundleRunner:
    """Asks mixtures of two bundles; a ``Runner`` and a ``Material`` of compare/runner.py.

    Parameters
    ----------
    a, b : Side
        Two bundles.
    rows : tuple, optional
        What they are asked, in the order of A's columns; by default what A's receipt has.
    progress : callable
        Is told what is going on.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        a: Side,
        b: Side,
        *,
        rows: tuple[Any, ...] | None = None,
        progress: Callable[[str], None],
    ) -> None:
        self._home, self._store, self._progress = home, store, progress
        self._a, self._b = a, b
        self._bundles = (bundle_of(a), bundle_of(b))
        self._locks = [Lock.from_bytes(bundle.lock) for bundle in self._bundles]
        self._own_rows = rows is not None
        self._rows = self._bundles[0].receipt.rows if rows is None else rows
        self._cache = home.cache(_CACHE)

    def run(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Outcome]]:
        """Ask for each request in turn; each outcome is stored before it is given."""
        for request in requests:
            yield request, self._stored(request) or self._ask(request)

    def read(self, side: str, path: str) -> bytes | None:
        """Give a code file of a side; None where it has none."""
        asked = self._a if side == "a" else self._b
        file: RunFile | None = asked.facts.code.get(path)
        return None if file is None else asked.read(file)

    def versions(self, package: str, a: str, b: str) -> Sequence[str]:
        """Give the published versions strictly between two, from A's to B's."""
        return published_between(package, a, b, find_interpreter(self._a.facts.python))

    def recorded(self, factors: frozenset[str]) -> tuple[Outcome, Outcome]:
        """Give both sides' answers; those that no receipt has are asked for."""
        one, other = (bundle.receipt for bundle in self._bundles)
        if self._own_rows:
            return self._answer(frozenset()), self._answer(factors)
        first = Outcome(predictions=one.outputs, executed=False)
        if (one.rows, one.method) == (other.rows, other.method):
            return first, Outcome(predictions=other.outputs, executed=False)
        return first, self._answer(factors)

    def _answer(self, taken: frozenset[str]) -> Outcome:
        request = Request(mixture=Mixture(taken=taken))
        return self._stored(request) or self._ask(request)

    def _ask(self, request: Request) -> Outcome:
        started = time.monotonic()
        taken = listed_changes(request.mixture.taken)
        self._progress(f"Asking A with {taken}")
        try:
            with self._home.workspace() as workspace:
                answer = self._replay(request.mixture, workspace)
        except Damaged:
            raise
        except SamovarError as error:
            reason = " ".join(str(error).split())[:300]
            return Outcome(status=UNINSTALLABLE, executed=False, reason=reason)
        seconds = time.monotonic() - started
        if isinstance(answer, SamovarError):
            outcome = Outcome(status=FAILED, seconds=seconds, reason=answer.message)
        else:
            outcome = Outcome(status=OK, predictions=answer, seconds=seconds)
        document = json.dumps(outcome_to_json(outcome)).encode()
        write_file(self._cache / self._key(request), document)
        return outcome

    def _replay(self, mixture: Mixture, workspace: Path) -> tuple[Tensor, ...] | SamovarError:
        mixed = blend(self._a.facts, self._b.facts, mixture)
        bundle, folder = self._lay_out(mixed, mixture, workspace)
        receipt = self._bundles[0].receipt
        check_model(bundle, folder)
        prepared = prepare(
            self._home,
            bundle.document,
            self._lock_of(mixed, workspace).data,
            unpacked=folder,
            progress=lambda _text: None,
        )
        job = {
            "verb": "replay",
            "bundle": str(folder),
            "wanted": prepared.wanted,
            "method": receipt.method,
            "rows": list(self._rows),
        }
        try:
            answer = run_child(
                prepared.interpreter.path,
                prepared.runtime,
                job,
                workspace=workspace,
                variables=child_variables(replay_level(receipt)),
            )
        except SamovarError as error:
            return error
        if isinstance(answer, Mismatched):
            return SamovarError("; ".join(map(str, answer.mismatches)))
        return tuple(Tensor.from_json(tensor) for tensor in answer["outputs"])

    def _lay_out(self, mixed: Blend, mixture: Mixture, workspace: Path) -> tuple[Bundle, Path]:
        """Unpack the bundle that gives the model, and put the mixture's files into it."""
        from_b = any(name.startswith("model:") for name in mixture.taken)
        main, side = self._bundles[from_b], (self._a, self._b)[from_b]
        folder = unpack_bundle(self._store, main, workspace / "bundle")
        others: Path | None = None
        for path in {*side.facts.code, *mixed.code}:
            content, target = mixed.code.get(path), folder / layout.PROJECT / path
            if content is None:
                target.unlink(missing_ok=True)
            elif isinstance(content, bytes):
                target.write_bytes(content)
            elif content != side.facts.code.get(path):
                if others is None:
                    another = self._bundles[not from_b]
                    others = unpack_bundle(self._store, another, workspace / "other")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(others / layout.PROJECT / path, target)
        document = replace(main.document, python=mixed.python)
        return replace(main, document=document), folder

    def _lock_of(self, mixed: Blend, workspace: Path) -> Lock:
        interpreter = find_interpreter(mixed.python)
        for lock in self._locks:
            if packages_of(lock, interpreter) == dict(mixed.packages):
                return lock
        return compose_lock(
            self._locks, mixed.packages, interpreter=interpreter, workspace=workspace
        )

    def _key(self, request: Request) -> str:
        digests = [str(bundle.digest) for bundle in self._bundles]
        asked = list(self._rows) if self._own_rows else []
        named = canonical_json([*digests, request.mixture.key, request.repetition, *asked])
        return f"bundles-{Digest.of(named).hex}"

    def _stored(self, request: Request) -> Outcome | None:
        try:
            return outcome_from_json(json.loads((self._cache / self._key(request)).read_bytes()))
        except (OSError, ValueError, KeyError, Damaged):
            return None


def bundle_of(side: Side) -> Bundle:
    """Give the bundle that a side is."""
    assert side.bundle is not None, side.name
    return side.bundle
