"""``why`` over recorded runs: the algorithms of compare/, executed by record/mixtures.py."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.cuts import cut_code
from samovar.compare.drill import idle_hunks
from samovar.compare.factors import factors_between
from samovar.compare.facts import CPU_VARIABLES
from samovar.compare.rank import Hints, imported_distributions
from samovar.compare.reachable import idle_lines
from samovar.compare.usage import Usage
from samovar.compare.why import Case, explain
from samovar.env.lock import Lock
from samovar.errors import UserError
from samovar.record.asked_rows import asked_rows
from samovar.record.bundle_mixtures import BundleRunner
from samovar.record.libraries import LockedSide, read_libraries
from samovar.record.mixtures import RecordRunner, recorded_outcome
from samovar.record.on_ray import RayRunner
from samovar.record.reproduce import lock_of_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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
            look=lambda: _hints(home, store, a, b, factors, progress),
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
    case = Case(
        a=one,
        b=other,
        factors=factors,
        look=lambda: _hints(home, store, a, b, factors, progress),
    )
    answer = explain(
        case, runner, clock=time.monotonic, question=question, budget=budget, material=runner
    )
    return answer, factors


def _hints(
    home: Home,
    store: Store,
    a: Side,
    b: Side,
    factors: tuple[Factor, ...],
    progress: Callable[[str], None],
) -> Hints:
    """Read what is known to matter: nothing is executed."""
    code = dict(_code(a))
    idle = idle_lines(code, a.facts.command)
    libraries = read_libraries(
        home,
        store,
        (_locked(store, a), _locked(store, b)),
        factors,
        Usage.of(code.values()),
        progress=progress,
    )
    return Hints(
        imported=imported_distributions(code.values()),
        declared=libraries.declared,
        changelogs=libraries.changelogs,
        idle=idle,
        idle_files=frozenset(_idle_files(a, b, factors, idle)),
    )


def _code(side: Side) -> Iterator[tuple[str, bytes]]:
    for path, file in side.facts.code.items():
        data = side.read(file)
        if data is not None:
            yield path, data


def _locked(store: Store, side: Side) -> LockedSide:
    minor = _minor(side.facts.python)
    if side.bundle is not None:
        return LockedSide(lock=Lock.from_bytes(side.bundle.lock), minor=minor)
    return LockedSide(lock=lock_of_run(store, _run_of(side).record), minor=minor)


def _idle_files(
    a: Side, b: Side, factors: tuple[Factor, ...], idle: Mapping[str, frozenset[int]]
) -> Iterator[str]:
    """Name the code files whose every change lies in lines that are not reached."""
    for factor in factors:
        lines = idle.get(factor.subject)
        if factor.kind != "code" or not lines or factor.a is None or factor.b is None:
            continue
        one = a.read(a.facts.code[factor.subject])
        other = b.read(b.facts.code[factor.subject])
        cut = None if one is None or other is None else cut_code(factor.subject, one, other)
        if cut is not None and idle_hunks(cut, lines) == set(cut.names):
            yield factor.name


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
