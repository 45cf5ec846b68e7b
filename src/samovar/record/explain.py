"""``why`` over recorded runs: the algorithms of compare/, executed by record/mixtures.py."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.factors import factors_between
from samovar.compare.facts import CPU_VARIABLES
from samovar.compare.rank import imported_distributions
from samovar.compare.why import Case, explain
from samovar.errors import UserError
from samovar.record.asked_rows import asked_rows
from samovar.record.bundle_mixtures import BundleRunner
from samovar.record.mixtures import RecordRunner, recorded_outcome
from samovar.record.on_ray import RayRunner

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from samovar.compare.answer import Answer
    from samovar.compare.factors import Factor
    from samovar.compare.facts import Facts
    from samovar.compare.ledger import Budget
    from samovar.compare.question import Question
    from samovar.compare.runner import Runner
    from samovar.record.runs import Run
    from samovar.record.sides import Side
    from samovar.store.home import Home
    from samovar.store.layout import Store

LOCAL: Final = "local"
RAY: Final = "ray"
_SLOWER: Final = 10.0
_AT_LEAST_S: Final = 120.0


def explain_sides(
    home: Home,
    store: Store,
    a: Side,
    b: Side,
    *,
    question: Question,
    budget: Budget,
    timeout_s: float | None,
    executor: str = LOCAL,
    inputs: Path | None = None,
    row: int | None = None,
    progress: Callable[[str], None],
) -> tuple[Answer, tuple[Factor, ...]]:
    """Explain why two runs differ, or why two bundles answer differently.

    Parameters
    ----------
    a, b : Side
        Two runs, or two bundles.
    question : Question
        What to explain.
    budget : Budget
        What it may cost.
    timeout_s : float, optional
        When an execution counts as hanging; by default ten times as long as the runs took.
    executor : str
        ``local``, or ``ray`` for the nodes of a running Ray cluster.
    inputs : Path, optional
        A table that two bundles are asked about, instead of the rows of A's receipt.
    row : int, optional
        Only this row of it, from 0.
    progress : callable
        Is told what is going on.

    Returns
    -------
    answer : Answer
        What was found.
    factors : tuple of Factor
        All that differs.

    Raises
    ------
    UserError
        Where one is a run and the other a bundle.
    """
    if a.bundle is not None and b.bundle is not None:
        if executor != LOCAL:
            raise UserError(
                "Mixtures of bundles are asked on this machine.",
                hint="They take seconds; leave --executor out.",
            )
        rows = asked_rows(a.bundle, inputs, row)
        return _explain_bundles(home, store, a, b, rows, question, budget, progress)
    if inputs is not None or row is not None:
        raise UserError(
            "--inputs and --row ask two bundles.",
            hint="Two runs are compared by the predictions that they recorded.",
        )
    one, other = _run_of(a), _run_of(b)
    longest = max(one.record.seconds, other.record.seconds)
    limit_s = timeout_s or max(_AT_LEAST_S, _SLOWER * longest)
    local = RecordRunner(home, store, one, other, timeout_s=limit_s, progress=progress)
    factors = factors_between(a.facts, b.facts, a.read, b.read)
    with home.workspace() as workspace:
        case = Case(
            a=recorded_outcome(store, one, workspace),
            b=recorded_outcome(store, other, workspace),
            factors=factors,
            fixed=fixed_factors(a.facts, b.facts, factors),
            imported=_imported(a),
        )
    executing: AbstractContextManager[Runner] = nullcontext(local)
    if executor == RAY:
        executing = RayRunner(home, store, one, other, timeout_s=limit_s, progress=progress)
    with executing as runner:
        answer = explain(
            case, runner, clock=time.monotonic, question=question, budget=budget, material=local
        )
    return answer, factors


def _explain_bundles(
    home: Home,
    store: Store,
    a: Side,
    b: Side,
    rows: tuple[Any, ...] | None,
    question: Question,
    budget: Budget,
    progress: Callable[[str], None],
) -> tuple[Answer, tuple[Factor, ...]]:
    """Explain why two bundles answer the same rows differently."""
    runner = BundleRunner(home, store, a, b, rows=rows, progress=progress)
    factors = factors_between(a.facts, b.facts, a.read, b.read)
    one, other = runner.recorded(frozenset(factor.name for factor in factors))
    case = Case(a=one, b=other, factors=factors, imported=_imported(a))
    answer = explain(
        case, runner, clock=time.monotonic, question=question, budget=budget, material=runner
    )
    return answer, factors


def _imported(side: Side) -> frozenset[str]:
    files = (side.read(file) for file in side.facts.code.values())
    return imported_distributions(data for data in files if data is not None)


def fixed_factors(a: Facts, b: Facts, factors: tuple[Factor, ...]) -> frozenset[str]:
    """Name the factors that no execution on this machine can change.

    Another kernel of BLAS or another level of numerics can be had here; another processor,
    operating system or GPU cannot, nor can another patch version of the same Python.
    """
    fixed = {name for name in ("machine:system", "machine:gpu") if _has(factors, name)}
    same_processor = all(
        a.machine.get(key) == b.machine.get(key) for key in ("architecture", "cpu")
    )
    chosen = a.numerics != b.numerics or any(
        a.env.get(name) != b.env.get(name) for name in CPU_VARIABLES
    )
    if _has(factors, "machine:cpu") and not (same_processor or chosen):
        fixed.add("machine:cpu")
    if _has(factors, "python") and _minor(a.python) == _minor(b.python):
        fixed.add("python")
    return frozenset(fixed)


def _has(factors: tuple[Factor, ...], name: str) -> bool:
    return any(factor.name == name for factor in factors)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _run_of(side: Side) -> Run:
    if side.run is None:
        raise UserError(
            f"{side.name} is a bundle, and the other one is a run.",
            hint="Give two runs ('samovar runs') or two bundles ('samovar list').",
            code="not_a_run",
        )
    return side.run
