"""Replay a receipt and judge whether the predictions are the same here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.child import (
    Mismatch,
    Mismatched,
    child_variables,
    numeric_level,
    run_child,
)
from samovar.bundle.environment import prepare
from samovar.bundle.opened import Bundle, unpack_bundle
from samovar.compare.verdict import Comparison, compare_outputs
from samovar.core import layout
from samovar.core.receipt import Receipt, Tensor
from samovar.env.lock import Lock
from samovar.env.venv import keep_venv
from samovar.model.audit import audit_model, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

CANNOT_LOAD: Final = "CANNOT LOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The answer of ``verify``.

    Parameters
    ----------
    comparison : Comparison, optional
        None where nothing was loaded.
    rows : int
        Rows of the receipt that were replayed.
    mismatches : tuple of Mismatch
        What in the environment is not the lock's.
    elapsed_s : float
        Wall time in seconds, environment included.
    image : mapping, optional
        Which image it was, where it was one: ``id``, ``platform``, ``from``, ``isolation``.
    """

    comparison: Comparison | None
    rows: int
    mismatches: tuple[Mismatch, ...]
    elapsed_s: float
    image: Mapping[str, Any] | None = None

    @property
    def verdict(self) -> str:
        """IDENTICAL, EQUIVALENT, DIFFERENT or CANNOT LOAD."""
        return CANNOT_LOAD if self.comparison is None else self.comparison.verdict

    def to_json(self) -> dict[str, Any]:
        """Give CONTRACT's fields."""
        compared = self.comparison
        document = {
            "verdict": self.verdict,
            "rows": self.rows,
            "max_relative_difference": (
                None if compared is None else compared.max_relative_difference
            ),
            "labels_changed": 0 if compared is None else compared.labels_changed,
            "differences": (
                [] if compared is None else [item.to_json() for item in compared.differences]
            ),
            "environment": {"mismatches": [item.to_json() for item in self.mismatches]},
            "elapsed_s": round(self.elapsed_s, 3),
        }
        return document if self.image is None else {**document, "image": dict(self.image)}


def verify_bundle(
    home: Home,
    store: Store,
    bundle: Bundle,
    *,
    python: Path | None,
    against: Receipt | None = None,
    progress: Progress,
) -> Verification:
    """Replay a bundle's receipt in a fresh environment from its lock, or in a named interpreter.

    Parameters
    ----------
    bundle : Bundle
        Whose model is asked.
    python : Path, optional
        An interpreter that is used as it is; by default a new environment is made and removed.
    against : Receipt, optional
        Of another bundle, to compare with instead of the bundle's own.

    Raises
    ------
    Refused
        Where the audit refuses the model; it is never loaded then.
    Unavailable
        Where no environment can be made here.
    """
    started = time.monotonic()
    receipt = bundle.receipt if against is None else against
    with home.workspace() as workspace:
        unpacked = unpack_bundle(store, bundle, workspace / "bundle")
        check_model(bundle, unpacked)
        prepared = prepare(
            home,
            bundle.document,
            bundle.lock,
            unpacked=unpacked,
            python=python,
            fresh_in=workspace if python is None else None,
            progress=progress,
        )
        progress("Replaying the receipt")
        answer = run_child(
            prepared.interpreter.path,
            prepared.runtime,
            {
                "verb": "replay",
                "bundle": str(unpacked),
                "wanted": prepared.wanted,
                "method": receipt.method,
                "rows": list(receipt.rows),
            },
            workspace=workspace,
            variables=child_variables(replay_level(receipt), write_bytecode=not prepared.is_users),
        )
        if prepared.fresh is not None and not isinstance(answer, Mismatched):
            keep_venv(home.envs, Lock.from_bytes(bundle.lock), prepared.fresh)
    return judged(answer, receipt, elapsed_s=time.monotonic() - started)


def judged(
    answer: Mapping[str, Any] | Mismatched,
    receipt: Receipt,
    *,
    elapsed_s: float,
    image: Mapping[str, Any] | None = None,
) -> Verification:
    """Compare what a replay answered with what the receipt has recorded."""
    if isinstance(answer, Mismatched):
        return Verification(
            comparison=None,
            rows=0,
            mismatches=answer.mismatches,
            elapsed_s=elapsed_s,
            image=image,
        )
    observed = [Tensor.from_json(tensor) for tensor in answer["outputs"]]
    return Verification(
        comparison=compare_outputs(receipt.outputs, observed, receipt.policy),
        rows=len(receipt.rows),
        mismatches=(),
        elapsed_s=elapsed_s,
        image=image,
    )


def check_model(bundle: Bundle, unpacked: Path) -> None:
    """Audit an unpacked bundle's model file before anything may load it.

    Raises
    ------
    Refused
        Naming every offending global.
    """
    described = bundle.document.model
    model = unpacked / layout.PROJECT / described.path
    report = audit_model(model, trusted=described.trusted, factory=described.factory)
    if not report.ok:
        raise refusal(report, model)


def replay_level(receipt: Receipt) -> str:
    """Give the numeric level for a replay: the receipt's, where this machine can hold it."""
    return receipt.numerics if receipt.numerics == numeric_level() else "native"
