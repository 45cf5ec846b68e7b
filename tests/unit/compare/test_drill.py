from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from functions import FunctionRunner, blamed, outcome_of, predicting
from samovar.compare.factors import Factor
from samovar.compare.question import Question
from samovar.compare.runner import Mixture, Outcome
from samovar.compare.why import Case, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.compare.answer import Answer


class TwoFiles:
    """A file as A and as B have it."""

    def __init__(self, a: bytes, b: bytes) -> None:
        self.sides = {"a": a, "b": b}

    def read(self, side: str, _path: str) -> bytes | None:
        return self.sides[side]

    def versions(self, _package: str, _a: str, _b: str) -> Sequence[str]:
        return ()


def explain_file(
    name: str, a: bytes, b: bytes, function: Callable[[bytes], Outcome]
) -> tuple[Answer, FunctionRunner]:
    """Explain the difference that one file makes to a function of its bytes."""
    path = name.partition(":")[2]

    def run(mixture: Mixture) -> Outcome:
        whole = b if name in mixture.taken else a
        return function(mixture.files.get(path, whole))

    others = [Factor(name=f"param:p{i}", a=0, b=1) for i in range(3)]
    factors = [Factor(name=name, a="sha256:a", b="sha256:b"), *others]
    runner = FunctionRunner(run)
    case = Case(a=function(a), b=function(b), factors=factors)
    return explain(case, runner, clock=lambda: 0.0, material=TwoFiles(a, b)), runner


SIX_HUNKS_A = "".join(f"v{i} = {i}\nkeep{i} = 0\nalso{i} = 0\n" for i in range(6)).encode()
SIX_HUNKS_B = "".join(f"v{i} = {i + 10}\nkeep{i} = 0\nalso{i} = 0\n" for i in range(6)).encode()


def run_code(name: str) -> Callable[[bytes], Outcome]:
    def run(source: bytes) -> Outcome:
        scope: dict[str, float] = {}
        exec(source, {}, scope)
        return Outcome(metrics={"m": float(scope[name])})

    return run


def test_one_hunk_of_six_is_named_by_its_lines_in_a() -> None:
    answer, runner = explain_file("code:train.py", SIX_HUNKS_A, SIX_HUNKS_B, run_code("v3"))
    assert blamed(answer) == {"code:train.py#10"}
    assert (answer.culprits[0].a, answer.culprits[0].b) == ("v3 = 3", "v3 = 13")
    assert answer.culprits[0].effect == 10.0
    assert "line 10 of train.py changed" in answer.sentence
    assert len(runner.executed) < 12


def test_hunks_that_change_only_comments_cost_nothing() -> None:
    a = b"# one\nx = 1\n\ny = 2\n\n# two\nz = 3\n"
    b = b"# uno\nx = 1\n\ny = 5\n\n# dos\nz = 3\n"
    answer, runner = explain_file("code:train.py", a, b, run_code("y"))
    assert blamed(answer) == {"code:train.py#4"}
    assert all(not request.mixture.files for request in runner.executed)


def test_mixtures_that_do_not_compile_are_not_run() -> None:
    a = b"v = 1\nif True:\n    w = 1\nu = 0\nu = 0\nif True:\n    k = 1\n"
    b = b"v = 2\nif True:\n  w = 1\n  x = 1\nu = 0\nu = 0\nfor _ in '1':\n    k = 1\n"
    answer, _ = explain_file("code:train.py", a, b, run_code("v"))
    assert blamed(answer) == {"code:train.py#1"}


def table(rows: Sequence[Sequence[object]], header: str = "id,x,y") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return f"{header}\n{out.getvalue()}".encode()


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def summing(data: bytes) -> Outcome:
    rows = rows_of(data)
    return Outcome(metrics={"m": sum(float(row["y"]) for row in rows)})


def test_forty_rows_of_four_thousand_are_named() -> None:
    rows = [[i, i * 2, i % 2] for i in range(4000)]
    other = [[i, x, 1 - y if 1200 <= i < 1240 else y] for i, x, y in rows]
    other[1205][2] = 7
    answer, _ = explain_file("data:train.csv", table(rows), table(other), summing)
    assert blamed(answer) == {"data:train.csv#rows 1200-1239"}


def test_the_guilty_block_is_told_from_harmless_ones() -> None:
    rows = [[i, 0, 0] for i in range(1000)]
    other = [[i, 5 if i % 100 == 50 else 0, 1 if 500 < i < 520 else 0] for i, _, _ in rows]
    answer, _ = explain_file("data:train.csv", table(rows), table(other), summing)
    assert blamed(answer) == {"data:train.csv#rows 501-519"}


def test_a_few_guilty_rows_are_found_in_a_long_harmless_change() -> None:
    rows = [[f"k{i}", i, 0] for i in range(1000)]
    other = [[f"{key}x", i, 1 if 300 <= i < 340 else 0] for key, i, _ in rows]
    other = [[f"k{i}", i + (i % 3 != 0), y] for i, (_, _, y) in enumerate(other)]
    header = "name,x,y"
    answer, runner = explain_file(
        "data:train.csv", table(rows, header), table(other, header), summing
    )
    assert blamed(answer) == {"data:train.csv#rows 300-339"}
    assert len(runner.executed) < 40


def test_order_alone_is_named_without_more_executions() -> None:
    rows = [[i, i * 7 % 10, i] for i in range(50)]
    shuffled = sorted(rows, key=lambda row: str(row[0]))

    def first_half(data: bytes) -> Outcome:
        values = [float(row["y"]) for row in rows_of(data)]
        return predicting(1.0, *values[:25])

    answer, runner = explain_file("data:train.csv", table(rows), table(shuffled), first_half)
    assert answer.metric == "predictions"
    assert blamed(answer) == {"data:train.csv#order"}
    assert "the order of the rows of train.csv changed" in answer.sentence
    assert all(not request.mixture.files for request in runner.executed)


def test_order_is_told_from_changed_values() -> None:
    rows = [[i, 0, i % 3] for i in range(60)]
    other = [[i, 9 if 5 <= i < 10 else 0, y] for i, _, y in rows][::-1]

    def weighted(data: bytes) -> Outcome:
        return Outcome(
            metrics={"m": sum(i * float(row["y"]) for i, row in enumerate(rows_of(data)))}
        )

    answer, _ = explain_file("data:train.csv", table(rows), table(other), weighted)
    assert blamed(answer) == {"data:train.csv#order"}
    answer, _ = explain_file(
        "data:train.csv",
        table(rows),
        table(other),
        lambda data: Outcome(metrics={"m": sum(float(row["x"]) for row in rows_of(data))}),
    )
    assert blamed(answer) == {"data:train.csv#rows 5-9"}


def test_a_changed_column_is_named() -> None:
    rows = [[i, i, 1] for i in range(100)]
    other = [[i, i + 1, 2] for i in range(100)]
    answer, _ = explain_file("data:train.csv", table(rows), table(other), summing)
    assert blamed(answer) == {"data:train.csv#column y"}


def test_an_added_column_is_a_part() -> None:
    a = table([[i, i, 1] for i in range(20)])
    b = table([[i, i, 1, 0] for i in range(20)], "id,x,y,z")

    def width(data: bytes) -> Outcome:
        return Outcome(metrics={"m": len(data.splitlines()[0].split(b","))})

    answer, _ = explain_file("data:train.csv", a, b, width)
    assert blamed(answer) == {"data:train.csv#column z"}


def test_removed_rows_are_named_by_a() -> None:
    rows = [[i, 0, 1] for i in range(100)]
    answer, _ = explain_file("data:train.csv", table(rows), table(rows[:30] + rows[37:]), summing)
    assert blamed(answer) == {"data:train.csv#rows 30-36"}


@pytest.mark.parametrize("data", [b"\x00\x01", b"PAR1\0\0"])
def test_what_is_no_table_is_named_whole(data: bytes) -> None:
    answer, _ = explain_file(
        "data:train.bin", data, data + b"x", lambda d: Outcome(metrics={"m": float(len(d))})
    )
    assert blamed(answer) == {"data:train.bin"}


def test_rows_of_few_kinds_are_aligned_without_a_quadratic_diff() -> None:
    rows = [[i % 2, i % 3, 1] for i in range(6000)]
    answer, _ = explain_file(
        "data:train.csv", table(rows), table(rows[:2000] + rows[2100:]), summing
    )
    (name,) = blamed(answer)
    assert name.startswith("data:train.csv#rows ")


def test_a_changed_key_is_a_changed_row() -> None:
    rows = [[i, 0, 1] for i in range(100)]
    other = [[i + 1000 if 10 <= i < 20 else i, 0, y] for i, _, y in rows]

    def keys(data: bytes) -> Outcome:
        return Outcome(metrics={"m": sum(float(row["id"]) for row in rows_of(data))})

    answer, _ = explain_file("data:train.csv", table(rows), table(other), keys)
    assert blamed(answer) == {"data:train.csv#rows 10-19"}


class Releases(TwoFiles):
    """A package with releases between both sides' versions."""

    def __init__(self, *between: str) -> None:
        super().__init__(b"", b"")
        self.between = between

    def versions(self, _package: str, _a: str, _b: str) -> Sequence[str]:
        return self.between


RELEASES = tuple(f"1.{minor}" for minor in range(1, 30))


def explain_releases(
    function: Callable[[int], Outcome | float | None],
) -> tuple[Answer, FunctionRunner]:
    """Explain what a package's releases 1.0 to 1.30 do to a function of the minor version."""

    def run(mixture: Mixture) -> Outcome | float | None:
        whole = "1.30" if "package:p" in mixture.taken else "1.0"
        return function(int(mixture.packages.get("p", whole).partition(".")[2]))

    factors = [
        Factor(name="package:p", a="1.0", b="1.30"),
        *(Factor(name=f"param:p{i}", a=0, b=1) for i in range(3)),
    ]
    runner = FunctionRunner(run)
    case = Case(a=outcome_of(function(0)), b=outcome_of(function(30)), factors=factors)
    answer = explain(
        case, runner, clock=lambda: 0.0, question=Question(versions=True),
        material=Releases(*RELEASES),
    )  # fmt: skip
    return answer, runner


@pytest.mark.parametrize("turn", [1, 2, 17, 29, 30])
def test_the_release_at_which_the_result_turned_is_halved_for(turn: int) -> None:
    answer, runner = explain_releases(lambda minor: float(minor >= turn))
    (culprit,) = answer.culprits
    assert culprit.turn is not None
    assert (culprit.turn.last_like_a, culprit.turn.first_unlike_a) == (
        f"1.{turn - 1}", f"1.{turn}",
    )  # fmt: skip
    assert culprit.turn.first_unlike_a in answer.sentence
    assert len(runner.executed) <= 5 + 5


def test_releases_that_cannot_be_run_are_stepped_over_and_stay_in_doubt() -> None:
    answer, _ = explain_releases(lambda minor: None if 10 <= minor <= 13 else float(minor >= 12))
    (culprit,) = answer.culprits
    assert culprit.turn is not None
    assert (culprit.turn.last_like_a, culprit.turn.first_unlike_a) == ("1.9", "1.14")
