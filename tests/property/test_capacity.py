"""The model of the queues keeps the laws that every queue keeps, and meets what is known exactly."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samovar.deploy.capacity.cost import Cost, Sample, fit
from samovar.deploy.capacity.replica import Load, Shape
from samovar.deploy.capacity.simulation import BALANCES, simulate

SERVICE_S = 0.01
ONE_BY_ONE = Cost(turn_s=SERVICE_S, request_s=0, row_s=0)
seconds = st.floats(1e-5, 1e-2)
costs = st.builds(Cost, turn_s=seconds, request_s=seconds, row_s=seconds)
shapes = st.builds(
    lambda size, **rest: Shape(cpus=size[0], workers=size[1], **rest),
    size=st.sampled_from([(0.25, 1), (0.5, 1), (1.0, 1), (2.5, 1), (2.0, 2), (3.0, 3)]),
    merges=st.booleans(),
    max_queue=st.sampled_from([2, 16, 1024]),
    max_rows=st.sampled_from([1, 8, 1024]),
)


@given(
    cost=costs,
    shape=shapes,
    used=st.floats(0.05, 3.0),
    rows=st.integers(1, 20),
    replicas=st.integers(1, 4),
    balance=st.sampled_from(BALANCES),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
def test_every_simulation_keeps_the_laws(cost, shape, used, rows, replicas, balance, seed):
    capacity = shape.capacity(cost, Load(rate_per_s=1, rows=rows))
    load = Load(rate_per_s=used * replicas * capacity, rows=rows)
    done = simulate(
        load, shape, cost, replicas=replicas, requests=600, balance=balance, seed=seed
    )  # fmt: skip
    assert done.answered + done.rejected == 600
    # Little: the mean number in the system is the throughput times the mean latency.
    assert done.waited_s == pytest.approx(done.sum_s, rel=1e-6)
    # Utilisation: busy time is what the answers cost, and no more than there are processors.
    assert done.busy_s == pytest.approx(
        cost.turn_s * done.turns + (cost.request_s + cost.row_s * rows) * done.answered
    )
    # Three periods: one has begun before the first request, one is used up when the last is done.
    most = replicas * min(shape.workers * done.elapsed_s, shape.cpus * (done.elapsed_s + 0.3))
    assert done.busy_s <= most * (1 + 1e-9)
    # Nobody is answered faster than the work takes, and nobody beyond what a replica can do.
    assert done.latencies_s == () or done.latencies_s[0] >= cost.of_turn(1, rows) * (1 - 1e-9)
    assert shape.merges or done.turns == done.answered


@pytest.mark.parametrize("used", [0.2, 0.5, 0.8])
def test_without_batches_one_worker_is_the_queue_of_pollaczek_and_khinchine(used):
    load = Load(rate_per_s=used / SERVICE_S)
    done = simulate(load, Shape(merges=False), ONE_BY_ONE, replicas=1, requests=60_000, seed=7)
    expected = SERVICE_S + used * SERVICE_S / (2 * (1 - used))
    assert done.sum_s / done.answered == pytest.approx(expected, rel=0.05)
    assert done.busy_s / done.elapsed_s == pytest.approx(used, rel=0.02)
    assert done.throughput_per_s == pytest.approx(load.rate_per_s, rel=0.02)


def waits_at_most(within_s: float, rate: float) -> float:
    """Give the chance of waiting no longer, M/D/1 (Erlang 1909; Crommelin 1932)."""
    terms = (
        (-rate * (within_s - k * SERVICE_S)) ** k
        / math.factorial(k)
        * math.exp(rate * (within_s - k * SERVICE_S))
        for k in range(int(within_s / SERVICE_S) + 1)
    )
    return (1 - rate * SERVICE_S) * sum(terms)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_without_batches_the_quantiles_are_those_of_erlang(share):
    rate = 70.0
    done = simulate(
        Load(rate_per_s=rate), Shape(merges=False), ONE_BY_ONE, replicas=1, requests=60_000, seed=3
    )
    waited_s = done.quantile(share) - SERVICE_S
    assert waits_at_most(waited_s, rate) == pytest.approx(share, abs=0.015)


def test_replicas_that_are_chosen_at_random_are_queues_of_their_own():
    one, four = (
        simulate(
            Load(rate_per_s=70.0 * replicas), Shape(merges=False), ONE_BY_ONE,
            replicas=replicas, requests=60_000, balance="random", seed=5,
        )
        for replicas in (1, 4)
    )  # fmt: skip
    assert four.quantile(0.9) == pytest.approx(one.quantile(0.9), rel=0.1)


@given(cost=costs, merges=st.booleans(), used=st.floats(0.3, 0.95), seed=st.integers(0, 100))
@settings(max_examples=15)
def test_more_replicas_are_never_worse(cost, merges, used, seed):
    shape = Shape(merges=merges)
    rate = used * 2 * shape.capacity(cost, Load(rate_per_s=1))
    tails = [
        simulate(
            Load(rate_per_s=rate), shape, cost, replicas=replicas, requests=4000, seed=seed
        ).quantile(0.99)
        for replicas in (2, 4, 8)
    ]
    assert tails[1] <= tails[0] * 1.02
    assert tails[2] <= tails[1] * 1.02


@given(cost=costs, used=st.floats(0.2, 0.9))
@settings(max_examples=15)
def test_batches_only_help(cost, used):
    rate = used * Shape(merges=False).capacity(cost, Load(rate_per_s=1))
    alone, together = (
        simulate(
            Load(rate_per_s=rate), Shape(merges=merges), cost, replicas=1, requests=3000, seed=2
        )
        for merges in (False, True)
    )
    assert together.busy_s <= alone.busy_s * (1 + 1e-9)
    assert together.turns <= alone.turns


def test_half_a_processor_halts_for_the_rest_of_each_period():
    slow = Cost(turn_s=0.12, request_s=0, row_s=0)
    done = simulate(Load(rate_per_s=0.01), Shape(cpus=0.5), slow, replicas=1, requests=2000)
    # 50 ms of each 100 ms: 120 ms meet one pause of 50 ms, or two, by when they begin.
    assert done.latencies_s[0] == pytest.approx(0.17, abs=0.001)
    assert done.quantile(0.98) == pytest.approx(0.22, abs=0.001)
    whole = simulate(Load(rate_per_s=0.01), Shape(cpus=1), slow, replicas=1, requests=2000)
    assert whole.quantile(0.5) == pytest.approx(0.12)


@given(cost=costs, noise=st.lists(st.floats(-0.02, 0.02), min_size=9, max_size=9))
@settings(max_examples=60)
def test_a_cost_is_found_again_in_what_it_caused(cost, noise):
    work = [(1, k, k * n) for k in (1, 8, 60) for n in (1, 16, 64)]
    samples = [
        Sample(turns=t, requests=r, rows=n, busy_s=cost.of_turn(r, n) * (1 + error))
        for (t, r, n), error in zip(work, noise, strict=True)
    ]
    found = fit(samples)
    for (_, requests, rows), _error in zip(work, noise, strict=True):
        assert found.of_turn(requests, rows) == pytest.approx(cost.of_turn(requests, rows), rel=0.1)
