from __future__ import annotations

import pytest

from samovar.compare.runs import compare_metrics, compare_predictions, verdict_of
from samovar.compare.yardstick import share_changed
from samovar.core.receipt import Policy, Tensor

POLICY = Policy(relative_difference=1e-9)


def floats(*values: float | str) -> tuple[Tensor, ...]:
    return (Tensor(name="p", datatype="FP64", shape=(len(values),), data=values),)


@pytest.mark.parametrize(
    ("recorded", "observed", "verdict"),
    [
        ({"m": 0.1}, {"m": 0.1}, "IDENTICAL"),
        ({"m": 0.3}, {"m": 0.1 + 0.2}, "EQUIVALENT"),
        ({"m": 0.3}, {"m": 0.31}, "DIFFERENT"),
        ({"m": None}, {"m": None}, "IDENTICAL"),
        ({"m": None}, {"m": 0.0}, "DIFFERENT"),
        ({"m": 1.0}, {"m": 1.0, "n": 2}, "DIFFERENT"),
        ({"m": 0.0}, {"m": 1e-300}, "DIFFERENT"),
    ],
)
def test_metrics_are_judged_to_policy(recorded: dict, observed: dict, verdict: str) -> None:
    compared = compare_metrics(recorded, observed)
    assert compared.verdict == verdict
    assert bool(compared.differing) is (verdict == "DIFFERENT")
    assert compared.to_json()["m"] == {"recorded": recorded["m"], "observed": observed["m"]}


def test_whole_numbers_among_floats_are_labels() -> None:
    compared = compare_predictions(floats(0.0, 1.0, 1.0), floats(0.0, 0.0, 1.0))
    assert (compared.verdict, compared.labels_changed) == ("DIFFERENT", 1)
    compared = compare_predictions(floats(0.5, 1.0), floats(0.5, 1.5))
    assert (compared.verdict, compared.labels_changed) == ("DIFFERENT", 0)


def test_the_worst_verdict_is_the_verdict_on_the_whole() -> None:
    assert verdict_of(["IDENTICAL", "DIFFERENT", "EQUIVALENT"]) == "DIFFERENT"
    assert verdict_of([]) == "IDENTICAL"


def test_only_rows_beyond_the_policy_count_as_changed() -> None:
    one = floats(1.0, 2.0, 4.0, "NaN")
    assert share_changed(one, floats(1.0 + 1e-15, 2.0, 5.0, "NaN"), POLICY) == 0.25
    assert share_changed(one, floats(1.0, 2.0, 4.0, "Infinity"), POLICY) == 0.25
    assert share_changed(one, floats(1.0), POLICY) == float("inf")
    exact = Policy(relative_difference=0.0)
    assert share_changed(floats(0.0, 1.0), floats(-0.0, 1.0), exact) == 0.5
