"""How many replicas of which size: the smallest number whose simulation keeps the goal.

Paper says where to start (no replica may be asked for more than a share of what it can do at most);
the simulation says whether the 99th percentile holds. Many replicas are simulated as a few with
their share of the load: a balancer that knows more of them only does better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.deploy.capacity.cost import Cost
from samovar.deploy.capacity.replica import Load, Shape, workers_of
from samovar.deploy.capacity.simulation import simulate
from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST: Final = 10_000
CHEAP_SIZES: Final = (0.25, 0.5, 1.0)
DEAR_SIZES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_SLICE: Final = 8
_TRIAL: Final = 6_000
_PROOF: Final = 30_000
_ROOM: Final = 1.3
_STEP: Final = 64 * 1024 * 1024
_P99: Final = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a bundle's server was found to cost.

    Parameters
    ----------
    cost : Cost
        Of its work.
    is_dear : bool
        Whether it uses several processors by itself (docs/decisions/0005-server.md).
    merges : bool
        Whether its requests share calls.
    memory_bytes : int or None
        Most that one process took; None where the system does not say.
    """

    cost: Cost
    is_dear: bool
    merges: bool
    memory_bytes: int | None

    @classmethod
    def from_json(cls, document: Any) -> Measured:
        """Read the object ``measured`` that ``plan`` prints.

        Raises
        ------
        InvalidInput
            Where it is none.
        """
        cost = Cost.from_json(document)
        memory = document.get("memory_bytes")
        flags = [document.get(name) for name in ("is_dear", "merges")]
        if not all(isinstance(flag, bool) for flag in flags) or (
            memory is not None and (isinstance(memory, bool) or not isinstance(memory, int))
        ):
            raise InvalidInput("This is no cost of a model.", code="invalid_cost")
        return cls(cost=cost, is_dear=flags[0], merges=flags[1], memory_bytes=memory)

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``plan`` prints."""
        return {
            **self.cost.to_json(),
            "is_dear": self.is_dear,
            "merges": self.merges,
            "memory_bytes": self.memory_bytes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the replicas have to keep.

    Parameters
    ----------
    load : Load
        Of all of them.
    p99_s : float
        The 99th percentile of the latency, at the service's door, in seconds.
    max_utilization : float
        Most that a replica is asked for, as a share of what it can do.
    balance : str
        See :data:`samovar.deploy.capacity.simulation.BALANCES`.
    """

    load: Load
    p99_s: float
    max_utilization: float = 0.8
    balance: str = "least-connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to carry the load.

    Parameters
    ----------
    shape : Shape
        Of each replica.
    replicas : int
        How many.
    memory_bytes : int or None
        For each.
    utilization : float
        Share of what they could answer.
    p50_s, p99_s : float
        Simulated.
    simulated : int
        Replicas in the simulation, with their share of the load.
    """

    shape: Shape
    replicas: int
    memory_bytes: int | None
    utilization: float
    p50_s: float
    p99_s: float
    simulated: int

    @property
    def total_cpus(self) -> float:
        """Processors of all together."""
        return self.replicas * self.shape.cpus

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``plan`` prints."""
        return {
            "replicas": self.replicas,
            **self.shape.to_json(),
            "memory_bytes": self.memory_bytes,
            "utilization": round(self.utilization, 4),
            "p50_s": self.p50_s,
            "p99_s": self.p99_s,
            "simulated_replicas": self.simulated,
        }


def choices(
    goal: Goal,
    measured: Measured,
    *,
    sizes: Sequence[float] | None = None,
    seed: int = 1,
    progress: Callable[[str], None] = lambda _text: None,
) -> list[Choice]:
    """Find the fewest replicas for each size that can keep the goal at all; the best size first.

    Parameters
    ----------
    goal : Goal
        What is to be kept.
    measured : Measured
        What the work costs.
    sizes : sequence of float, optional
        Processors of a replica; by default those that the model can make use of.
    seed : int
        Of the simulations.
    progress : callable
        Told what goes on.

    Returns
    -------
    list of Choice
        By processors, then memory, then replicas, all together; empty where no size does it.
    """
    found = []
    for cpus in sizes or (DEAR_SIZES if measured.is_dear else CHEAP_SIZES):
        progress(f"Simulating replicas of {cpus:g} processors")
        workers = workers_of(cpus, is_dear=measured.is_dear)
        shape = Shape(cpus=cpus, workers=workers, merges=measured.merges)
        choice = _fewest(goal, shape, measured, seed)
        if choice is not None:
            found.append(choice)
    return sorted(
        found,
        key=lambda one: (one.total_cpus, one.replicas * (one.memory_bytes or 0), one.replicas),
    )


def simulated(
    goal: Goal, shape: Shape, cost: Cost, replicas: int, *, requests: int, seed: int
) -> tuple[int, float, float, bool]:
    """Simulate some of the replicas with their share of the load.

    Returns
    -------
    tuple
        How many were simulated, p50 and p99 in seconds, and whether the goal was kept.
    """
    few = min(replicas, 1 if goal.balance == "random" else _SLICE)
    share = Load(rate_per_s=goal.load.rate_per_s * few / replicas, rows=goal.load.rows)
    outcome = simulate(
        share, shape, cost, replicas=few, requests=requests, balance=goal.balance, seed=seed
    )
    p99_s = outcome.quantile(_P99)
    return few, outcome.quantile(0.5), p99_s, p99_s <= goal.p99_s and not outcome.rejected


def _fewest(goal: Goal, shape: Shape, measured: Measured, seed: int) -> Choice | None:
    cost, rate = measured.cost, goal.load.rate_per_s
    capacity = shape.capacity(cost, goal.load)
    least = math.ceil(rate / (capacity * goal.max_utilization))
    if cost.of_turn(1, goal.load.rows) > goal.p99_s or least > MOST:
        return None

    def keeps(replicas: int, requests: int = _TRIAL) -> bool:
        return simulated(goal, shape, cost, replicas, requests=requests, seed=seed)[-1]

    low, high = least - 1, least
    while not keeps(high):
        low, high = high, high * 2
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    while True:
        # A trial is short and its tail is rough: the last word has a longer one.
        few, p50_s, p99_s, is_kept = simulated(
            goal, shape, cost, high, requests=_PROOF, seed=seed + 1
        )
        if is_kept or high >= MOST:
            break
        high = min(MOST, high + max(1, high // 20))
    if not is_kept:
        return None
    return Choice(
        shape=shape,
        replicas=high,
        memory_bytes=_memory(measured.memory_bytes, shape.workers),
        utilization=rate / (high * capacity),
        p50_s=p50_s,
        p99_s=p99_s,
        simulated=few,
    )


def _memory(process_bytes: int | None, workers: int) -> int | None:
    """Give a limit with some room; workers share the model, so for several it is generous."""
    if process_bytes is None:
        return None
    return math.ceil(process_bytes * workers * _ROOM / _STEP) * _STEP
