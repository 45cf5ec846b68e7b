"""Judge whether two runs gave the same result: their metrics, their predictions, both."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.verdict import (
    DIFFERENT,
    EQUIVALENT,
    IDENTICAL,
    Comparison,
    compare_outputs,
)
from samovar.core.receipt import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from samovar.core.receipt import Tensor
    from samovar.core.run import Metric

RUN_POLICY: Final = Policy(relative_difference=1e-9)
"""Training amplifies what another BLAS kernel or thread count does (1e-16 to 3e-13 of the scale,
docs/explanation/why.md); nothing that anybody would call a cause is as small as this."""
BITWISE: Final = Policy(relative_difference=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsComparison:
    """A verdict on metrics with its evidence.

    Parameters
    ----------
    verdict : str
        IDENTICAL, EQUIVALENT or DIFFERENT.
    values : mapping of str to pair
        By name: recorded and observed; None for one that was not finite, or is absent.
    differing : tuple of str
        Names of the metrics that differ beyond the policy.
    """

    verdict: str
    values: Mapping[str, tuple[Metric, Metric]]
    differing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``reproduce`` prints below ``metrics``."""
        return {
            name: {"recorded": recorded, "observed": observed}
            for name, (recorded, observed) in self.values.items()
        }


def compare_metrics(
    recorded: Mapping[str, Metric], observed: Mapping[str, Metric], policy: Policy = RUN_POLICY
) -> MetricsComparison:
    """Compare the metrics of two runs.

    Parameters
    ----------
    recorded, observed : mapping of str to float, int or None
        By name; None is not finite, and equals itself.
    policy : Policy
        Largest |difference| / scale of a metric that is still equivalent.
    """
    names = list(dict.fromkeys([*recorded, *observed]))
    values = {name: (recorded.get(name), observed.get(name)) for name in names}
    differing = tuple(
        name
        for name, (one, other) in values.items()
        if name not in recorded or name not in observed or not is_same_metric(one, other, policy)
    )
    exact = all(is_same_metric(one, other, BITWISE) for one, other in values.values())
    verdict = DIFFERENT if differing else IDENTICAL if exact else EQUIVALENT
    return MetricsComparison(verdict=verdict, values=values, differing=differing)


def is_same_metric(one: Metric, other: Metric, policy: Policy) -> bool:
    """Say whether two values of a metric are the same to a policy.

    Examples
    --------
    >>> is_same_metric(0.81, 0.81 + 1e-15, RUN_POLICY), is_same_metric(0.81, 0.82, RUN_POLICY)
    (True, False)
    """
    if one is None or other is None:
        return one is other
    return one == other or relative_difference(one, other) <= policy.relative_difference


def relative_difference(one: float, other: float) -> float:
    """Give |difference| / scale, where scale is the larger magnitude."""
    scale = max(abs(one), abs(other))
    return 0.0 if one == other else abs(one - other) / scale if scale else math.inf


def compare_predictions(
    recorded: Sequence[Tensor], observed: Sequence[Tensor], policy: Policy = RUN_POLICY
) -> Comparison:
    """Compare the predictions of two runs on the fixed evaluation set.

    Whole numbers in a column of floats are labels, as ``numpy.save`` keeps them: each row that
    changes is one in ``labels_changed``.
    """
    compared = compare_outputs(recorded, observed, policy)
    if compared.reason is None and all(_is_labels(tensor) for tensor in (*recorded, *observed)):
        return replace(compared, labels_changed=len(compared.differences))
    return compared


def _is_labels(tensor: Tensor) -> bool:
    return not tensor.is_float or (
        len(tensor.shape) == 1
        and all(isinstance(value, float) and value.is_integer() for value in tensor.data)
    )


def verdict_of(verdicts: Iterable[str]) -> str:
    """Give the verdict on a whole from those on its parts: the worst of them.

    Examples
    --------
    >>> verdict_of(["IDENTICAL", "EQUIVALENT"])
    'EQUIVALENT'
    """
    found = set(verdicts)
    return DIFFERENT if DIFFERENT in found else EQUIVALENT if EQUIVALENT in found else IDENTICAL
