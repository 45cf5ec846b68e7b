"""`why` over functions with known answers: whatever is blamed was seen to act, and nothing is missed."""

from __future__ import annotations

import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from functions import ask, blamed, names, predicting
from samovar.compare.runner import Outcome

QUICK = settings(max_examples=60, deadline=None)
EXACT = st.sampled_from([0.5, 0.25, -0.25, 1.0, -0.5, 2.0])


@st.composite
def places(draw: st.DrawFn, most: int) -> tuple[list[str], list[str]]:
    """Draw all factors, and some of them in any order."""
    count = draw(st.integers(most, 40))
    factors = names(count)
    guilty = draw(st.lists(st.sampled_from(factors), min_size=1, max_size=most, unique=True))
    return factors, guilty


@QUICK
@given(places(1))
def test_a_single_culprit_is_named_and_nobody_else(drawn: Any) -> None:
    factors, (guilty,) = drawn
    answer, runner = ask(lambda taken: 1.0 if guilty in taken else 3.0, factors)
    assert answer.outcome == "explained"
    assert blamed(answer) == {guilty}
    assert answer.culprits[0].effect == -2.0
    assert answer.runs == len(runner.executed) <= 6 + len(factors).bit_length()


@QUICK
@given(places(6), st.data())
def test_additive_causes_are_all_named_with_their_own_effects(
    drawn: Any, data: st.DataObject
) -> None:
    factors, guilty = drawn
    effects = {name: data.draw(EXACT) for name in guilty}
    # Predictions tell every subset apart, so that no cancellation can hide anybody.
    answer, _ = ask(
        lambda taken: predicting(
            sum(effects[name] for name in guilty if name in taken),
            *(float(name in taken) for name in guilty),
        ),
        factors,
    )
    found = {culprit.factor: culprit.effect for culprit in answer.culprits}
    if answer.metric == "predictions":
        assert set(found) == set(guilty)
    else:
        assert {name: round(effect or 0.0, 9) for name, effect in found.items()} == effects
        assert answer.interactions == ()


@QUICK
@given(places(4))
def test_those_that_matter_only_together_are_named_together(drawn: Any) -> None:
    factors, guilty = drawn
    answer, _ = ask(lambda taken: float(set(guilty) <= taken), factors)
    assert blamed(answer) == set(guilty)
    if len(guilty) > 1:
        assert {frozenset(one.names) for one in answer.interactions} == {frozenset(guilty)}


@QUICK
@given(places(4))
def test_those_that_each_suffice_are_all_named(drawn: Any) -> None:
    factors, guilty = drawn
    answer, _ = ask(lambda taken: float(bool(set(guilty) & taken)), factors)
    assert blamed(answer) == set(guilty)


@QUICK
@given(places(5), st.integers(0, 2**32))
def test_shares_add_up_to_the_difference_whatever_the_function(drawn: Any, seed: int) -> None:
    factors, guilty = drawn

    def anything(taken: frozenset[str]) -> float:
        acting = sorted(taken & set(guilty))
        return zlib.crc32(repr((seed, acting)).encode()) % 1000 / 1000

    answer, _ = ask(anything, factors)
    assert blamed(answer) <= set(guilty)
    if answer.outcome == "explained":
        shares = [culprit.effect or 0.0 for culprit in answer.culprits]
        assert abs(sum(shares) - (answer.delta or 0.0)) < 1e-9


@QUICK
@given(places(3), st.sets(st.integers(0, 39), max_size=6), st.integers(0, 7))
def test_mixtures_that_fail_never_lead_to_an_innocent(
    drawn: Any, broken: set[int], salt: int
) -> None:
    factors, guilty = drawn

    def run(taken: frozenset[str]) -> float | None:
        # Some mixtures crash, as real ones do; both ends run.
        crashes = sorted(place for place in broken if f"param:p{place:03}" in taken)
        if 0 < len(taken) < len(factors) and (len(crashes) + salt) % 3 == 1:
            return None
        return float(len(taken & set(guilty)))

    answer, _ = ask(run, factors)
    alone = {culprit.factor for culprit in answer.culprits if not culprit.together}
    assert alone <= set(guilty)


@QUICK
@given(places(3), st.integers(0, 30))
def test_a_budget_is_kept_and_never_makes_blame(drawn: Any, most: int) -> None:
    factors, guilty = drawn
    answer, runner = ask(lambda taken: float(len(taken & set(guilty))), factors, max_runs=most)
    assert len(runner.executed) <= most
    assert blamed(answer) <= set(guilty)
    if answer.outcome == "explained":
        assert blamed(answer) == set(guilty)


@QUICK
@given(places(2))
def test_a_metric_that_ceases_to_be_finite_is_explained(drawn: Any) -> None:
    factors, guilty = drawn

    def run(taken: frozenset[str]) -> Outcome:
        return Outcome(metrics={"m": None if set(guilty) <= taken else 0.5})

    answer, _ = ask(run, factors)
    assert answer.outcome == "explained"
    assert blamed(answer) == set(guilty)
