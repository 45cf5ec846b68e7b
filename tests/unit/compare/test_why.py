from __future__ import annotations

import itertools

import pytest

from functions import (
    CANNOT_INSTALL,
    FunctionRunner,
    ask,
    blamed,
    factors_of,
    names,
    predicting,
    seeded,
)
from samovar.compare.factors import Factor
from samovar.compare.question import Question
from samovar.compare.runner import FAILED, Mixture, Outcome
from samovar.compare.why import Case, explain
from samovar.errors import NotFound, UserError

SIXTEEN = names(16)


@pytest.mark.parametrize("guilty", SIXTEEN)
def test_one_culprit_among_sixteen_costs_eight_executions(guilty: str) -> None:
    answer, runner = ask(lambda taken: 0.550 if guilty in taken else 0.811, SIXTEEN)
    assert answer.outcome == "explained"
    assert blamed(answer) == {guilty}
    assert answer.culprits[0].effect == pytest.approx(-0.261)
    assert answer.unchanged_factors == 15
    assert len(runner.executed) == answer.runs <= 8


def test_one_culprit_among_thirty_two_costs_fourteen_executions() -> None:
    many = names(32)
    for guilty in many:
        answer, _ = ask(lambda taken, guilty=guilty: float(guilty in taken), many)
        assert blamed(answer) == {guilty}
        assert answer.runs <= 14


def test_two_that_matter_only_together_among_sixteen_cost_twenty_four_executions() -> None:
    for one, other in itertools.islice(itertools.combinations(SIXTEEN, 2), 0, None, 7):
        answer, _ = ask(lambda taken, pair={one, other}: float(pair <= taken), SIXTEEN)
        assert blamed(answer) == {one, other}
        assert [set(found.names) for found in answer.interactions] == [{one, other}]
        assert answer.interactions[0].effect == 1.0
        assert answer.runs <= 24


def test_the_sentence_says_what_changed_and_that_the_rest_has_no_effect() -> None:
    factors = [
        Factor(name="package:pandas", a="1.5.3", b="2.2.2"),
        *(Factor(name=f"param:p{i}", a=i, b=i + 1) for i in range(15)),
    ]
    answer, _ = ask(
        lambda taken: {"accuracy": 0.550 if "package:pandas" in taken else 0.811}, factors
    )
    assert answer.sentence == (
        "accuracy .811 → .550 because pandas went from 1.5.3 to 2.2.2; "
        "the other 15 differences have no effect"
    )
    assert answer.check == "samovar reproduce B --with pandas==1.5.3"


def test_either_of_two_is_found_though_one_hides_the_other() -> None:
    pair = {SIXTEEN[3], SIXTEEN[11]}
    answer, _ = ask(lambda taken: float(bool(pair & taken)), SIXTEEN)
    assert blamed(answer) == pair
    assert [culprit.effect for culprit in answer.culprits] == [0.5, 0.5]


def test_additive_causes_get_their_shares() -> None:
    shares = {SIXTEEN[1]: 0.3, SIXTEEN[7]: -0.1, SIXTEEN[12]: 0.05}
    answer, _ = ask(lambda taken: sum(shares.get(name, 0.0) for name in taken), SIXTEEN)
    effects = {culprit.factor: culprit.effect for culprit in answer.culprits}
    assert effects == {name: pytest.approx(share) for name, share in shares.items()}
    assert answer.interactions == ()


def test_more_than_six_additive_causes_get_sampled_shares() -> None:
    shares = {name: 0.1 * (place + 1) for place, name in enumerate(SIXTEEN[:9])}
    answer, _ = ask(lambda taken: sum(shares.get(name, 0.0) for name in taken), SIXTEEN)
    effects = {culprit.factor: culprit.effect for culprit in answer.culprits}
    assert effects == {name: pytest.approx(share) for name, share in shares.items()}
    assert answer.error == pytest.approx(0.0, abs=1e-9)


def test_equal_metrics_are_explained_by_predictions() -> None:
    guilty = SIXTEEN[5]

    def run(taken: frozenset[str]) -> Outcome:
        return predicting(0.8, 1.0, 2.0, 9.0 if guilty in taken else 3.0, 4.0)

    answer, _ = ask(run, SIXTEEN)
    assert answer.metric == "predictions"
    assert blamed(answer) == {guilty}
    assert answer.delta == answer.culprits[0].effect == 0.25
    assert answer.sentence.startswith("25% of the predictions change because p005 went")


def test_two_effects_that_cancel_in_the_metric_show_in_the_predictions() -> None:
    up, down = SIXTEEN[2], SIXTEEN[9]

    def run(taken: frozenset[str]) -> Outcome:
        metric = 0.8 + 0.1 * (up in taken) - 0.1 * (down in taken)
        return predicting(round(metric, 6), float(up in taken), float(down in taken), 0.0)

    answer, _ = ask(run, SIXTEEN)
    assert answer.metric == "predictions"
    assert blamed(answer) == {up, down}


def test_two_effects_that_cancel_beside_a_third_are_found_by_predictions() -> None:
    up, down, third = SIXTEEN[2], SIXTEEN[3], SIXTEEN[9]

    def run(taken: frozenset[str]) -> Outcome:
        metric = 0.5 + 0.1 * (up in taken) - 0.1 * (down in taken) + 0.3 * (third in taken)
        return predicting(
            round(metric, 6), float(up in taken), float(down in taken), float(third in taken)
        )

    answer, _ = ask(run, SIXTEEN)
    effects = {culprit.factor: round(culprit.effect or 0.0, 6) for culprit in answer.culprits}
    assert effects == {up: 0.1, down: -0.1, third: 0.3}


def test_what_moves_predictions_but_not_the_metric_is_not_blamed_for_the_metric() -> None:
    guilty, bystander = SIXTEEN[2], SIXTEEN[9]

    def run(taken: frozenset[str]) -> Outcome:
        return predicting(float(guilty in taken), float(guilty in taken), float(bystander in taken))

    answer, _ = ask(run, SIXTEEN)
    assert blamed(answer) == {guilty}


def test_equal_runs_cost_nothing() -> None:
    answer, runner = ask(lambda _taken: 1.0, SIXTEEN)
    assert (answer.outcome, answer.culprits, runner.executed) == ("equal", (), [])
    assert answer.sentence == "A and B are equal to the last bit"


def test_a_difference_of_the_last_bits_is_equal_unless_asked_for() -> None:
    factors = [*SIXTEEN, "machine:threads"]

    def run(taken: frozenset[str]) -> float:
        return 0.1 + 0.2 if "machine:threads" in taken else 0.3

    answer, _ = ask(run, factors)
    assert answer.outcome == "equal"
    assert "--bitwise" in answer.sentence
    answer, _ = ask(run, factors, question=Question(bitwise=True))
    assert answer.outcome == "explained"
    assert blamed(answer) == {"machine:threads"}


def test_an_unseeded_script_is_noise() -> None:
    generator = seeded(1)
    runner = FunctionRunner(lambda _m: 0.8 + generator.gauss(0, 0.01), is_deterministic=False)
    case = Case(
        a=Outcome(metrics={"m": 0.80}), b=Outcome(metrics={"m": 0.81}), factors=factors_of(SIXTEEN)
    )
    answer = explain(case, runner, clock=lambda: 0.0)
    assert (answer.outcome, answer.culprits) == ("noise", ())
    assert 0.003 < answer.noise < 0.03
    assert "by itself" in answer.sentence


def test_a_real_effect_is_found_through_noise() -> None:
    generator, guilty = seeded(2), SIXTEEN[6]

    def run(mixture: Mixture) -> float:
        return 0.8 - 0.2 * (guilty in mixture.taken) + generator.gauss(0, 0.005)

    runner = FunctionRunner(run, is_deterministic=False)
    case = Case(
        a=Outcome(metrics={"m": 0.801}), b=Outcome(metrics={"m": 0.6}), factors=factors_of(SIXTEEN)
    )
    answer = explain(case, runner, clock=lambda: 0.0)
    assert answer.outcome == "explained"
    assert blamed(answer) == {guilty}
    assert answer.culprits[0].effect == pytest.approx(-0.2, abs=0.03)


def test_a_mixture_that_cannot_be_installed_is_an_answer() -> None:
    pandas, numpy = "package:pandas", "package:numpy"
    factors = [pandas, numpy, *names(6)]

    def run(taken: frozenset[str]) -> float | Outcome:
        if pandas in taken and numpy not in taken:
            return CANNOT_INSTALL
        return float(pandas in taken)

    answer, _ = ask(run, factors)
    assert answer.outcome == "explained"
    assert blamed(answer) == {pandas}
    assert answer.needed == (numpy,)
    assert any("no solution" in note for note in answer.notes)


def test_others_have_no_effect_though_b_without_the_culprit_does_not_run() -> None:
    pandas, numpy = "package:pandas", "package:numpy"

    def run(taken: frozenset[str]) -> float | None:
        return None if numpy in taken and pandas not in taken else float(pandas in taken)

    answer, _ = ask(run, [numpy, pandas, *names(6)])
    assert (answer.outcome, blamed(answer)) == ("explained", {pandas})
    assert answer.unchanged_factors == 7


def test_what_never_runs_apart_is_blamed_together() -> None:
    one, other = "package:a", "package:b"

    def run(taken: frozenset[str]) -> float | None:
        return None if (one in taken) != (other in taken) else float(one in taken)

    answer, _ = ask(run, [one, other, *names(6)])
    assert blamed(answer) == {one, other}
    assert answer.culprits[0].together == (answer.culprits[1].factor,)


def test_a_budget_ends_the_search_with_what_is_known() -> None:
    answer, runner = ask(lambda taken: float(SIXTEEN[5] in taken), SIXTEEN, max_runs=4)
    assert answer.outcome == "unexplained"
    assert len(runner.executed) == 4
    assert SIXTEEN[5] in answer.suspects
    assert len(answer.suspects) == 4
    assert "within 4 executions" in answer.sentence


def test_an_interruption_keeps_what_is_known() -> None:
    def function(taken: frozenset[str]) -> float:
        return float(SIXTEEN[5] in taken)

    runner = FunctionRunner(lambda m: function(m.taken), interrupt_at=7)
    answer, _ = ask(function, SIXTEEN, runner=runner)
    assert answer.interrupted
    assert blamed(answer) == {SIXTEEN[5]}
    assert answer.culprits[0].effect == 1.0


def test_a_second_search_costs_nothing() -> None:
    first, runner = ask(lambda taken: float(SIXTEEN[5] in taken), SIXTEEN)
    second, _ = ask(lambda taken: float(SIXTEEN[5] in taken), SIXTEEN, runner=runner)
    assert second.runs == 0
    assert second.cached_runs == first.runs
    assert second.culprits == first.culprits


def test_a_metric_that_is_nan_on_one_side_is_explained_without_numbers() -> None:
    guilty = SIXTEEN[8]
    answer, _ = ask(lambda taken: {"m": None if guilty in taken else 0.5}, SIXTEEN)
    assert answer.outcome == "explained"
    assert blamed(answer) == {guilty}
    assert (answer.delta, answer.culprits[0].effect) == (None, None)
    assert "m .500 → NaN because" in answer.sentence


def test_five_hundred_factors_are_no_problem() -> None:
    many = names(500)
    guilty = {many[17], many[444]}
    answer, _ = ask(lambda taken: float(len(guilty & taken)), many)
    assert blamed(answer) == guilty
    assert answer.runs < 40


def test_a_side_that_cannot_be_run_any_more_is_said() -> None:
    case = Case(
        a=Outcome(metrics={"m": 0.0}), b=Outcome(metrics={"m": 1.0}), factors=factors_of(SIXTEEN)
    )
    runner = FunctionRunner(lambda _m: Outcome(status=FAILED, reason="yanked"))
    answer = explain(case, runner, clock=lambda: 0.0)
    assert answer.outcome == "unexplained"
    assert "A cannot be run here: yanked" in answer.sentence


def test_what_this_machine_cannot_change_is_not_blamed() -> None:
    case = Case(
        a=Outcome(metrics={"m": 0.73}),
        b=Outcome(metrics={"m": 0.77}),
        factors=factors_of([*SIXTEEN, "machine:cpu"]),
        fixed=frozenset({"machine:cpu"}),
    )
    runner = FunctionRunner(lambda _m: 0.77, is_deterministic=False)
    answer = explain(case, runner, clock=lambda: 0.0)
    assert (answer.outcome, answer.culprits) == ("unexplained", ())
    assert "machine:cpu" in answer.sentence
    assert any("A gives 0.77 here and gave 0.73" in note for note in answer.notes)


def test_runs_without_a_common_metric_are_wrong_use() -> None:
    case = Case(a=Outcome(metrics={"x": 1.0}), b=Outcome(metrics={"y": 1.0}), factors=[])
    with pytest.raises(UserError, match="no metric in common") as caught:
        explain(case, FunctionRunner(lambda _m: 0.0), clock=lambda: 0.0)
    assert "A has x; B has y" in (caught.value.why or "")


def test_an_unknown_metric_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="recall") as caught:
        ask(
            lambda taken: {"a.f1": 1.0, "b.f1": len(taken)},
            SIXTEEN,
            question=Question(metric="recall"),
        )
    assert caught.value.why == "They have in common: a.f1, b.f1."


def test_the_last_part_of_a_metric_is_enough() -> None:
    answer, _ = ask(
        lambda taken: {"metrics.accuracy": float(SIXTEEN[0] in taken)},
        SIXTEEN,
        question=Question(metric="accuracy"),
    )
    assert answer.metric == "metrics.accuracy"


def test_quality_is_explained_before_counts() -> None:
    answer, _ = ask(
        lambda taken: {"n_features": 1 if taken else 5, "accuracy": 0.5 if taken else 0.8},
        SIXTEEN[:1],
    )
    assert answer.metric == "accuracy"
