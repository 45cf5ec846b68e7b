"""How many replicas: from a cost and a goal to the smallest number, or a no."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samovar.deploy.capacity.cost import Cost, Sample, fit
from samovar.deploy.capacity.replica import Load, Shape, workers_of
from samovar.deploy.capacity.sizing import Goal, Measured, choices, simulated
from samovar.errors import InvalidInput, UserError

CALL = Cost(turn_s=0.004, request_s=0.0002, row_s=0.001)
MEASURED = Measured(cost=CALL, is_dear=True, merges=False, memory_bytes=100 * 2**20)


@pytest.mark.parametrize("rate", [1500, 150_000, 1_500_000])
def test_the_fewest_keep_the_goal_and_one_fewer_does_not(rate):
    goal = Goal(load=Load(rate_per_s=rate), p99_s=0.012)
    (choice,) = choices(goal, MEASURED, sizes=[1.0])
    assert choice.p99_s <= goal.p99_s
    assert choice.utilization <= goal.max_utilization
    # Paper's least, and a little for the tail.
    least = rate * CALL.of_turn(1, 1) / goal.max_utilization
    assert least <= choice.replicas <= 1.5 * least + 2
    fewer = simulated(
        goal, choice.shape, CALL, int(choice.replicas * 0.9) - 1, requests=30_000, seed=2
    )
    assert not fewer[-1] or int(choice.replicas * 0.9) - 1 < least
    assert choice.simulated == min(8, choice.replicas)


def test_sizes_are_compared_by_what_all_replicas_take_together():
    found = choices(Goal(load=Load(rate_per_s=400), p99_s=0.2), MEASURED)
    assert len(found) > 2
    assert [one.total_cpus for one in found] == sorted(one.total_cpus for one in found)
    assert {one.shape.cpus: one.shape.workers for one in found}[4.0] == 4


def test_a_cheap_model_gets_no_processors_that_it_leaves_idle():
    cheap = replace(MEASURED, is_dear=False)
    found = choices(Goal(load=Load(rate_per_s=100), p99_s=0.5), cheap)
    assert max(one.shape.cpus for one in found) == 1.0
    assert workers_of(8.0, is_dear=False) == 1


@pytest.mark.parametrize(
    "goal",
    [
        Goal(load=Load(rate_per_s=10), p99_s=0.005),  # a single call takes longer
        Goal(load=Load(rate_per_s=1e9), p99_s=1.0),  # more than ten thousand
    ],
)
def test_what_no_number_of_replicas_can_do_is_told(goal):
    assert choices(goal, MEASURED) == []


def test_random_dealing_needs_more():
    load = Load(rate_per_s=1500)
    counted = choices(Goal(load=load, p99_s=0.015), MEASURED, sizes=[1.0])
    blind = choices(Goal(load=load, p99_s=0.015, balance="random"), MEASURED, sizes=[1.0])
    assert blind[0].replicas > counted[0].replicas
    assert blind[0].simulated == 1


def test_a_queue_that_overflows_is_no_plan():
    shape = Shape(merges=False, max_queue=1)
    goal = Goal(load=Load(rate_per_s=150), p99_s=10.0)
    assert simulated(goal, shape, CALL, 1, requests=2000, seed=1)[-1] is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"turn_s": -1.0},
        {"row_s": float("nan")},
        {"row_s": 1e308},
        {"turn_s": 1e-300, "request_s": 0.0, "row_s": 0.0},
        {"turn_s": 0.0, "request_s": 0.0, "row_s": 0.0},
    ],
)
def test_what_is_no_cost_is_refused(wrong):
    with pytest.raises(InvalidInput):
        replace(CALL, **wrong)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"turn_s": 1},
        {**MEASURED.to_json(), "row_s": "x"},
        {**MEASURED.to_json(), "is_dear": 1},
        {**MEASURED.to_json(), "memory_bytes": "1"},
    ],
)
def test_a_file_that_holds_no_cost_is_refused(document):
    with pytest.raises(InvalidInput):
        Measured.from_json(document)
    assert Measured.from_json(MEASURED.to_json()) == MEASURED


@pytest.mark.parametrize(
    "wrong",
    [{"rate_per_s": rate} for rate in (0, -1, 1e-300, 1e308, float("inf"), float("nan"))]
    + [{"rows": 0}],
)
def test_what_is_no_load_is_refused(wrong):
    with pytest.raises(UserError):
        Load(**{"rate_per_s": 1.0, **wrong})


def test_workers_that_share_a_processor_are_not_planned():
    with pytest.raises(UserError):
        Shape(cpus=1.5, workers=2)


def test_nothing_measured_is_no_cost():
    with pytest.raises(InvalidInput):
        fit([Sample(turns=0, requests=0, rows=0, busy_s=0)])


def test_what_samples_do_not_tell_apart_is_the_turns():
    found = fit([Sample(turns=n, requests=n, rows=n, busy_s=n * 0.25) for n in (1, 10)])
    assert found.to_json() == {"turn_s": pytest.approx(0.25), "request_s": 0.0, "row_s": 0.0}
