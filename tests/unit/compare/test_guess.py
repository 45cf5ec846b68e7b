"""What is declared is tried first: a right guess saves most executions, a wrong one breaks no bound."""

from __future__ import annotations

import pytest

from functions import FunctionRunner, Result, ask, blamed, factors_of, names
from samovar.compare.cuts import cut_code
from samovar.compare.declared import DEFAULT, DEPRECATED, Declared
from samovar.compare.drill import idle_hunks
from samovar.compare.factors import Factor
from samovar.compare.rank import Hints, weigh
from samovar.compare.reachable import idle_lines
from samovar.compare.runner import Outcome
from samovar.compare.why import Case, explain

LIBRARY = "package:lib"


def hints(kind: str = DEFAULT) -> Hints:
    change = Declared(kind=kind, name="f", text="the default of x went from 1 to 2")
    return Hints(
        imported=frozenset({"lib"}),
        declared={LIBRARY: (change,)},
        changelogs={LIBRARY: "https://lib.org/changes"},
    )


def row(count: int) -> list[Factor]:
    return [*factors_of(names(count - 1)), Factor(name=LIBRARY, a="1.0", b="2.0")]


@pytest.mark.parametrize("count", [4, 16, 32, 500])
def test_a_right_guess_costs_four_executions_whatever_the_number_of_factors(count: int) -> None:
    answer, runner = ask(lambda taken: float(LIBRARY in taken), row(count), hints=hints())
    assert blamed(answer) == {LIBRARY}
    assert answer.unchanged_factors == count - 1
    assert len(runner.executed) == answer.runs <= 4
    (culprit,) = answer.culprits
    assert culprit.to_json()["changelog"] == {"place": "https://lib.org/changes", "version": "2.0"}
    assert culprit.declared == ("f: the default of x went from 1 to 2",)


@pytest.mark.parametrize(("count", "most"), [(4, 7), (8, 8), (16, 8), (32, 14)])
def test_a_wrong_guess_breaks_no_bound(count: int, most: int) -> None:
    for guilty in names(count - 1):
        answer, _ = ask(
            lambda taken, guilty=guilty: float(guilty in taken), row(count), hints=hints()
        )
        assert blamed(answer) == {guilty}
        assert answer.runs <= most, guilty
        assert answer.culprits[0].declared == ()


def test_a_guess_that_matters_only_with_another_is_named_with_it() -> None:
    for partner in names(15):
        both = {LIBRARY, partner}
        answer, _ = ask(lambda taken, both=both: float(both <= taken), row(16), hints=hints())
        assert blamed(answer) == both
        assert answer.runs <= 24


def test_a_guess_beside_additive_causes_keeps_its_own_effect() -> None:
    other = names(15)[7]
    answer, _ = ask(
        lambda taken: 2.0 * (LIBRARY in taken) + (other in taken), row(16), hints=hints()
    )
    assert {one.factor: one.effect for one in answer.culprits} == {LIBRARY: 2.0, other: 1.0}


def test_a_guess_that_does_not_run_costs_one_execution_and_is_not_blamed() -> None:
    guilty = names(15)[3]

    def run(taken: frozenset[str]) -> Result:
        alone = taken == {LIBRARY}
        return None if alone else float(guilty in taken)

    answer, _ = ask(run, row(16), hints=hints())
    assert blamed(answer) == {guilty}
    assert answer.runs <= 9


def test_what_is_only_deprecated_is_not_worth_a_guess() -> None:
    answer, runner = ask(lambda taken: float(LIBRARY in taken), row(16), hints=hints(DEPRECATED))
    assert blamed(answer) == {LIBRARY}
    first = {request.mixture.taken for request in runner.executed[:2]}
    assert frozenset({LIBRARY}) not in first


def test_nothing_is_looked_up_where_there_is_nothing_to_explain() -> None:
    def look() -> Hints:
        raise AssertionError("nothing differs")

    same = Outcome(metrics={"m": 1.0})
    case = Case(a=same, b=same, factors=row(16), look=look)
    runner = FunctionRunner(lambda _mixture: 1.0)
    assert explain(case, runner, clock=lambda: 0.0).outcome == "equal"


def test_code_that_is_not_reached_comes_last() -> None:
    files = [Factor(name=f"code:{path}", a="1", b="2") for path in ("idle.py", "used.py")]
    weights = weigh(files, Hints(idle_files=frozenset({"code:idle.py"})))
    assert weights["code:idle.py"] < weights["code:used.py"]


def test_hunks_in_lines_that_are_not_reached_are_named_and_tried_last() -> None:
    before = b"def used():\n    return 1\n\n\ndef idle():\n    return 2\n\n\nused()\n"
    after = before.replace(b"return 1", b"return 3").replace(b"return 2", b"return 4")
    cut = cut_code("train.py", before, after)
    assert cut is not None
    lines = idle_lines({"train.py": before}, "python train.py")["train.py"]
    assert cut.names == ("2", "6")
    assert idle_hunks(cut, lines) == {"6"}
    assert idle_hunks(cut, frozenset()) == frozenset()
