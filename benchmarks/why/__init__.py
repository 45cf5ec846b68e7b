"""Executions that `why` needs, against delta debugging, one at a time, and BugDoc-like search.

Functions with known answers stand for training runs; in some a package declares that a default
changed, rightly or of another than the cause. Those of `why` include the two repeats of A
and B, the closing checks and the sharing out, which the others do not do. A method is right where
it names exactly the causes.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.why.peers import PEERS, Subset
from samovar.compare.declared import DEFAULT, Declared
from samovar.compare.factors import Factor
from samovar.compare.rank import Hints
from samovar.compare.runner import FAILED, Outcome, Request
from samovar.compare.why import Case, explain

Function = Callable[[Subset], float | None]
_DRAWS = 40
_CHANGE = Declared(kind=DEFAULT, name="f", text="the default of x went from 1 to 2")


@dataclass(frozen=True)
class Kind:
    """A kind of case: how many factors, how many causes, and what these do."""

    name: str
    factors: int
    causes: int
    function: Callable[[Subset, list[str]], float | None]
    declared: str = ""
    """Which factor is a package that declares a change: the ``guilty``, or an ``innocent`` one."""


def _crashing(taken: Subset, causes: list[str]) -> float | None:
    cause, guard = causes
    return None if cause in taken and guard not in taken else float(cause in taken)


KINDS = (
    Kind("one of 16", 16, 1, lambda taken, causes: float(causes[0] in taken)),
    Kind("one of 16, declared", 16, 1, lambda taken, causes: float(causes[0] in taken), "guilty"),
    Kind("one of 16, another declared", 16, 1, lambda taken, causes: float(causes[0] in taken),
         "innocent"),
    Kind("one of 32", 32, 1, lambda taken, causes: float(causes[0] in taken)),
    Kind("one of 500", 500, 1, lambda taken, causes: float(causes[0] in taken)),
    Kind("one of 32, another declared", 32, 1, lambda taken, causes: float(causes[0] in taken),
         "innocent"),
    Kind("two together of 16", 16, 2, lambda taken, causes: float(set(causes) <= taken)),
    Kind("two together of 16, one declared", 16, 2, lambda taken, causes: float(set(causes) <= taken),
         "guilty"),
    Kind("two additive of 16", 16, 2, lambda taken, causes: sum(
        (place + 1) * (name in taken) for place, name in enumerate(causes))),
    Kind("three additive of 32", 32, 3, lambda taken, causes: sum(
        (place + 1) * (name in taken) for place, name in enumerate(causes))),
    Kind("either of two of 16", 16, 2, lambda taken, causes: float(bool(set(causes) & taken))),
    Kind("one of 16, crashes without another", 16, 2, _crashing),
)  # fmt: skip


class _Runner:
    def __init__(self, function: Function) -> None:
        self._function = function

    def run(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Outcome]]:
        for request in requests:
            value = self._function(request.mixture.taken)
            yield (
                request,
                Outcome(status=FAILED) if value is None else Outcome(metrics={"m": value}),
            )


def _ours(names: list[str], function: Function, declaring: str | None) -> tuple[set[str], int]:
    case = Case(
        a=Outcome(metrics={"m": function(frozenset())}),
        b=Outcome(metrics={"m": function(frozenset(names))}),
        factors=[Factor(name=name, a=0, b=1) for name in names],
        look=lambda: Hints() if declaring is None else Hints(declared={declaring: (_CHANGE,)}),
    )
    answer = explain(case, _Runner(function), clock=time.monotonic)
    return {culprit.factor for culprit in answer.culprits}, answer.runs


def _naming(kind: Kind, generator: random.Random) -> tuple[list[str], list[str], str | None]:
    """Give the factors, the causes among them, and the one that declares a change."""
    names = [f"param:p{place:03}" for place in range(kind.factors)]
    causes = generator.sample(names, kind.causes)
    if not kind.declared:
        return names, causes, None
    innocent = [name for name in names if name not in causes]
    chosen = causes[0] if kind.declared == "guilty" else generator.choice(innocent)
    package = chosen.replace("param:", "package:")
    renamed = {chosen: package}
    return [renamed.get(n, n) for n in names], [renamed.get(n, n) for n in causes], package


def _judge(names: list[str], function: Function) -> Callable[[Subset], str]:
    ends = {function(frozenset()): "A", function(frozenset(names)): "B"}
    return lambda taken: ends.get(function(taken), "?")


def main() -> None:
    """Print a table."""
    generator = random.Random(0)
    methods = ("samovar why", *PEERS)
    print(f"{'':36}" + "".join(f"{name:>24}" for name in methods))
    print(f"{'':36}" + f"{'runs (most), right':>24}" * len(methods))
    seconds = runs = 0.0
    for kind in KINDS:
        spent: dict[str, list[int]] = {name: [] for name in methods}
        right = dict.fromkeys(methods, 0)
        for _ in range(_DRAWS):
            names, causes, declaring = _naming(kind, generator)
            guilty = {causes[0]} if kind.function is _crashing else set(causes)

            def function(
                taken: Subset, kind: Kind = kind, causes: list[str] = causes
            ) -> float | None:
                return kind.function(taken, causes)

            started = time.perf_counter()
            found = {"samovar why": _ours(names, function, declaring)}
            seconds += time.perf_counter() - started
            runs += found["samovar why"][1]
            found |= {name: peer(names, _judge(names, function)) for name, peer in PEERS.items()}
            for name, (blamed, count) in found.items():
                spent[name].append(count)
                right[name] += blamed == guilty
        cells = (
            f"{statistics.fmean(spent[n]):.1f} ({max(spent[n])}), {right[n] / _DRAWS:4.0%}"
            for n in methods
        )
        print(f"{kind.name:36}" + "".join(f"{cell:>24}" for cell in cells), flush=True)
    print(f"own overhead: {1000 * seconds / runs:.2f} ms an execution")
