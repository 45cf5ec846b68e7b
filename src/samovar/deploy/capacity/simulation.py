"""A discrete-event simulation of replicas behind a balancer, as samovar's server works.

Requests arrive as a Poisson process. A worker that is free takes all that wait for it, up to its
bound, and answers them together after ``Cost.of_turn``: what arrives meanwhile is its next turn. A
quota below one processor stops the worker when it is used up, until the kernel's next period.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from samovar.deploy.capacity.replica import PERIOD_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from samovar.deploy.capacity.cost import Cost
    from samovar.deploy.capacity.replica import Load, Shape

BALANCES: Final = ("least-connections", "random")
_WARM_UP: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came out.

    Parameters
    ----------
    latencies_s : tuple of float
        From arrival to reply, sorted; of those that arrived after the warm-up.
    rejected : int
        Requests that found their worker's queue full.
    elapsed_s : float
        Simulated seconds.
    answered, turns : int
        Requests and calls over the whole time.
    busy_s : float
        Seconds that workers worked, all together.
    waited_s : float
        Integral over time of the requests in the system.
    sum_s : float
        Of the latencies of all requests that were answered.
    """

    latencies_s: tuple[float, ...]
    rejected: int
    elapsed_s: float
    answered: int
    turns: int
    busy_s: float
    waited_s: float
    sum_s: float

    def quantile(self, share: float) -> float:
        """Give the latency that a share of the requests does not exceed; infinite without any."""
        if not self.latencies_s:
            return float("inf")
        return self.latencies_s[min(len(self.latencies_s) - 1, int(share * len(self.latencies_s)))]

    @property
    def throughput_per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.elapsed_s


def simulate(
    load: Load,
    shape: Shape,
    cost: Cost,
    *,
    replicas: int,
    requests: int = 20_000,
    balance: str = "least-connections",
    seed: int = 1,
) -> Outcome:
    """Simulate some replicas under a load.

    Parameters
    ----------
    load : Load
        Of all replicas together.
    shape : Shape
        Of each.
    cost : Cost
        Of the model on a whole processor.
    replicas : int
        How many.
    requests : int
        That arrive; a tenth of them is the warm-up.
    balance : str
        One of :data:`BALANCES`: a balancer that counts, or one that does not (a Service of
        Kubernetes).
    seed : int
        Of the random numbers; the same one gives the same result.
    """
    import simpy

    environment = simpy.Environment()
    tally = _Tally(warm_up=int(requests * _WARM_UP))
    system = [_Replica(environment, shape, cost, load, tally, seed + i) for i in range(replicas)]
    chance = random.Random(seed)  # noqa: S311 - a simulation
    environment.process(_arrivals(environment, load, system, tally, chance, requests, balance))
    environment.run()
    return tally.outcome(float(environment.now))


def _arrivals(
    environment: Any,
    load: Load,
    system: Sequence[_Replica],
    tally: _Tally,
    chance: random.Random,
    requests: int,
    balance: str,
) -> Iterator[Any]:
    turn = 0
    for number in range(requests):
        yield environment.timeout(chance.expovariate(load.rate_per_s))
        if balance == "random":
            chosen = chance.choice(system)
        else:
            # Of equals the next in turn, as NGINX does it.
            turn = (turn + 1) % len(system)
            chosen = min((*system[turn:], *system[:turn]), key=lambda replica: replica.present)
        if not chosen.accept(number, float(environment.now), chance):
            tally.rejected += 1


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What is counted on the way."""

    warm_up: int
    latencies_s: list[float] = field(default_factory=list)
    rejected: int = 0
    answered: int = 0
    turns: int = 0
    busy_s: float = 0.0
    sum_s: float = 0.0
    present: int = 0
    waited_s: float = 0.0
    changed: float = 0.0

    def change(self, now: float, by: int) -> None:
        """Note that requests came into the system, or left it."""
        self.waited_s += self.present * (now - self.changed)
        self.present += by
        self.changed = now

    def answer(self, number: int, latency_s: float) -> None:
        """Count a reply."""
        self.answered += 1
        self.sum_s += latency_s
        if number >= self.warm_up:
            self.latencies_s.append(latency_s)

    def outcome(self, elapsed_s: float) -> Outcome:
        """Sum up."""
        return Outcome(
            latencies_s=tuple(sorted(self.latencies_s)),
            rejected=self.rejected,
            elapsed_s=elapsed_s,
            answered=self.answered,
            turns=self.turns,
            busy_s=self.busy_s,
            waited_s=self.waited_s,
            sum_s=self.sum_s,
        )


class _Quota:
    """One worker's processor time, which is dealt out anew for each period.

    Parameters
    ----------
    cpus : float
        Seconds for each second.
    phase_s : float
        When the first period began, before time 0.
    """

    def __init__(self, cpus: float, phase_s: float) -> None:
        self._budget_s = cpus * PERIOD_S
        self._phase_s = phase_s
        self._period = 0
        self._left_s = self._budget_s

    def finish(self, now: float, work_s: float) -> float:
        """Use some processor time from now on; give when it is done."""
        period = int((now + self._phase_s) / PERIOD_S)
        if period > self._period:
            self._period, self._left_s = period, self._budget_s
        end = (self._period + 1) * PERIOD_S - self._phase_s
        usable_s = min(self._left_s, max(0.0, end - now))
        if work_s <= usable_s:
            self._left_s -= work_s
            return now + work_s
        work_s -= usable_s
        # Periods that are used up as a whole.
        whole = max(0, math.ceil(work_s / self._budget_s) - 1)
        work_s = max(0.0, work_s - whole * self._budget_s)
        self._period += 1 + whole
        self._left_s = max(0.0, self._budget_s - work_s)
        return self._period * PERIOD_S - self._phase_s + work_s


class _Replica:
    """One replica: its workers, and a quota where that may stop them."""

    def __init__(
        self, environment: Any, shape: Shape, cost: Cost, load: Load, tally: _Tally, seed: int
    ) -> None:
        self._tally = tally
        phase_s = random.Random(seed).uniform(0, PERIOD_S)  # noqa: S311 - a simulation
        self.quota = _Quota(shape.cpus, phase_s) if shape.is_throttled else None
        # What a turn of so many requests costs: asked for each turn anew.
        most = shape.largest_turn(load)
        extra_s = cost.of_turn(1, load.rows) - cost.turn_s
        self.turn_s = tuple(accumulate([extra_s] * most, initial=cost.turn_s))
        self.max_queue = shape.max_queue
        self.present = 0
        self._workers = [_Worker(environment, self, tally) for _ in range(shape.workers)]

    def accept(self, number: int, now: float, chance: random.Random) -> bool:
        """Queue a request at the worker that holds its connection; False where that is full."""
        workers = self._workers
        worker = workers[0] if len(workers) == 1 else chance.choice(workers)
        if len(worker.queue) >= self.max_queue:
            return False
        self.present += 1
        self._tally.change(now, 1)
        worker.queue.append((number, now))
        if worker.wake is not None:
            worker.wake.succeed()
            worker.wake = None
        return True


class _Worker:
    """One process: takes what waits, and answers it together."""

    def __init__(self, environment: Any, replica: _Replica, tally: _Tally) -> None:
        self.queue: deque[tuple[int, float]] = deque()
        self.wake: Any = None
        environment.process(self._work(environment, replica, tally))

    def _work(self, environment: Any, replica: _Replica, tally: _Tally) -> Iterator[Any]:
        most = len(replica.turn_s) - 1
        while True:
            if not self.queue:
                self.wake = environment.event()
                yield self.wake
            batch = [self.queue.popleft() for _ in range(min(most, len(self.queue)))]
            work_s = replica.turn_s[len(batch)]
            now = float(environment.now)
            end = now + work_s if replica.quota is None else replica.quota.finish(now, work_s)
            yield environment.timeout(max(0.0, end - now))
            tally.turns += 1
            tally.busy_s += work_s
            replica.present -= len(batch)
            tally.change(end, -len(batch))
            for number, arrived in batch:
                tally.answer(number, end - arrived)
