"""Yardsticks: when are two results the same, and how far apart are they.

One yardstick serves a whole search. A metric is one number; predictions are told apart row by row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from samovar.compare.runner import OK, Outcome
from samovar.compare.runs import RUN_POLICY, is_same_metric

if TYPE_CHECKING:
    from samovar.core.receipt import Policy, Tensor

PREDICTIONS: Final = "predictions"
"""What stands for the metric's name where predictions are explained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known of a mixture.

    Parameters
    ----------
    outcomes : tuple of Outcome
        Of its repetitions; empty for a mixture that cannot be made (a file that does not compile).
    reason : str
        Why it cannot be made.
    """

    outcomes: tuple[Outcome, ...]
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether every repetition ran."""
        return bool(self.outcomes) and all(one.status == OK for one in self.outcomes)

    @property
    def why_not(self) -> str:
        """Why it did not run, one line."""
        return self.reason or next((one.reason for one in self.outcomes if one.reason), "")


class Yardstick(Protocol):
    """Compares readings that are ok.

    ``tolerance`` is how far apart noise alone puts two; ``is_additive`` says whether the effects
    of independent causes add up (shares of rows overlap, so they need not).
    """

    @property
    def name(self) -> str:
        """The metric, or ``predictions``."""

    @property
    def tolerance(self) -> float:
        """Largest distance that noise alone makes."""

    @property
    def is_additive(self) -> bool:
        """Whether independent effects add up."""

    def distance(self, one: Reading, other: Reading) -> float:
        """Say how far apart two are; infinite where they cannot be compared."""

    def same(self, one: Reading, other: Reading) -> bool:
        """Say whether two are the same result, to policy and noise."""

    def value(self, reading: Reading) -> float | None:
        """Give the number whose changes are called effects; None where it is not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricYardstick:
    """Compares one metric.

    Parameters
    ----------
    name : str
        Of the metric.
    policy : Policy
        How large a relative difference is still none.
    tolerance : float
        How large a difference noise alone makes.
    """

    name: str
    policy: Policy = RUN_POLICY
    tolerance: float = 0.0

    @property
    def is_additive(self) -> bool:
        """Numbers add up."""
        return True

    def value(self, reading: Reading) -> float | None:
        """Give the mean over repetitions."""
        values = [one.metrics.get(self.name) for one in reading.outcomes]
        finite = [value for value in values if value is not None]
        return math.fsum(finite) / len(finite) if len(finite) == len(values) > 0 else None

    def distance(self, one: Reading, other: Reading) -> float:
        """Give the absolute difference of the means."""
        left, right = self.value(one), self.value(other)
        if left is None or right is None:
            return 0.0 if left is right else math.inf
        return abs(left - right)

    def same(self, one: Reading, other: Reading) -> bool:
        """Say whether the means are the same to policy and noise."""
        left, right = self.value(one), self.value(other)
        if left is not None and right is not None and abs(left - right) <= self.tolerance:
            return True
        return is_same_metric(left, right, self.policy)


class PredictionYardstick:
    """Compares predictions row by row.

    Parameters
    ----------
    origin : Reading
        A's; values are shares of rows that differ from these.
    policy : Policy
        How large a relative difference is still none.
    tolerance : float
        How far apart noise alone puts two runs.
    """

    name = PREDICTIONS
    is_additive = False

    def __init__(
        self, origin: Reading, policy: Policy = RUN_POLICY, tolerance: float = 0.0
    ) -> None:
        self.origin = origin
        self.policy = policy
        self.tolerance = tolerance
        self._shares: dict[tuple[int, int], float] = {}

    def value(self, reading: Reading) -> float | None:
        """Give the distance from A: the share of rows, 0 to 1, whose prediction is another."""
        distance = self.distance(self.origin, reading)
        return distance if math.isfinite(distance) else None

    def distance(self, one: Reading, other: Reading) -> float:
        """Give the share of rows that differ; with noise, the mean difference in scales."""
        return self._share(one, other) if self.tolerance == 0.0 else spread(one, other)

    def same(self, one: Reading, other: Reading) -> bool:
        """Say whether all rows are the same to policy and noise."""
        return self.distance(one, other) <= self.tolerance

    def _share(self, one: Reading, other: Reading) -> float:
        left, right = one.outcomes[0].predictions, other.outcomes[0].predictions
        if left is None or right is None:
            return 0.0 if left is right else math.inf
        key = (id(left), id(right))
        if key not in self._shares:
            self._shares[key] = share_changed(left, right, self.policy)
        return self._shares[key]


def share_changed(
    recorded: tuple[Tensor, ...], observed: tuple[Tensor, ...], policy: Policy
) -> float:
    """Give the share of rows that differ beyond a policy; infinite where shapes differ.

    Parameters
    ----------
    recorded, observed : tuple of Tensor
        Predictions, the first axis is the row.
    policy : Policy
        With 0, a row differs where a bit does.
    """
    if [one.shape for one in recorded] != [one.shape for one in observed]:
        return math.inf
    rows = recorded[0].shape[0] if recorded else 0
    changed: set[int] = set()
    for first, second in zip(recorded, observed, strict=True):
        width = math.prod(first.shape[1:])
        allowed = policy.relative_difference * _scale(first)
        changed.update(
            place // width
            for place, (before, after) in enumerate(zip(first.data, second.data, strict=True))
            if not _is_near(before, after, allowed)
        )
    return len(changed) / rows if rows else 0.0


def _scale(tensor: Tensor) -> float:
    """Give the largest finite magnitude; 1 where everything is 0, and for labels."""
    return (
        max((abs(value) for value in tensor.data if isinstance(value, float)), default=0.0) or 1.0
    )


def _is_near(before: Any, after: Any, allowed: float) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        if allowed:
            return abs(before - after) <= allowed
        return before == after and math.copysign(1.0, before) == math.copysign(1.0, after)
    return type(before) is type(after) and bool(before == after)


def spread(one: Reading, other: Reading) -> float:
    """Give the mean |difference| of predictions in units of their scale; 1 for other labels."""
    left, right = one.outcomes[0].predictions, other.outcomes[0].predictions
    if left is None or right is None or len(left) != len(right):
        return math.inf
    total = count = 0.0
    for first, second in zip(left, right, strict=True):
        if first.shape != second.shape:
            return math.inf
        scale = _scale(first)
        for before, after in zip(first.data, second.data, strict=True):
            if isinstance(before, float) and isinstance(after, float):
                total += min(abs(before - after) / scale, 1.0)
            else:
                total += before != after
        count += len(first.data)
    return total / count if count else 0.0
