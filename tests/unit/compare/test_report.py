from __future__ import annotations

from html.parser import HTMLParser

import pytest

from functions import ask, factors_of, names
from samovar.compare.factors import Factor
from samovar.compare.report import diff_page, why_page
from samovar.compare.svg import waterfall

EVIL = '<script>alert("x")</script>'
VOID = {"meta", "br", "rect"}


class Checker(HTMLParser):
    """Checks that elements close, and collects them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def test_a_report_has_plot_effects_path_and_how_to_check() -> None:
    factors = [Factor(name="package:pandas", a="1.5.3", b="2.2.2"), *factors_of(names(15))]
    answer, _ = ask(
        lambda taken: {"accuracy": 0.55 if "package:pandas" in taken else 0.811}, factors
    )
    page = read(why_page("monday", "tuesday", answer, factors))
    assert "accuracy .811 → .550 because pandas went from 1.5.3 to 2.2.2" in page.text
    assert "samovar reproduce tuesday --with pandas==1.5.3" in page.text
    assert "The path of executions" in page.text
    assert "15 other differences have no effect" in page.text
    bars = [attributes["class"] for tag, attributes in page.seen if tag == "rect"]
    assert bars == ["total", "down", "total"]


def test_a_report_asks_nothing_of_any_other_host() -> None:
    answer, _ = ask(lambda taken: float("param:p001" in taken), names(4))
    page = read(why_page("a", "b", answer, factors_of(names(4))))
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    attributes = [value for _, given in page.seen for value in given.values() if value]
    assert not any("://" in value for value in attributes)


def test_what_users_wrote_is_escaped() -> None:
    guilty = Factor(name=f"param:{EVIL}", a=EVIL, b=f"{EVIL}2")
    answer, _ = ask(lambda taken: float(guilty.name in taken), [guilty])
    for page in (
        why_page(EVIL, EVIL, answer, [guilty]),
        diff_page(EVIL, EVIL, [guilty]),
    ):
        assert "script" not in {tag for tag, _ in read(page).seen}
        assert EVIL in read(page).text


@pytest.mark.parametrize("outcome", ["equal", "noise-free failure"])
def test_a_report_without_culprits_is_a_whole_page(outcome: str) -> None:
    function = (lambda _t: 1.0) if outcome == "equal" else (lambda t: float(len(t) == 4))
    answer, _ = ask(function, names(4), max_runs=3)
    page = read(why_page("a", "b", answer, factors_of(names(4))))
    assert answer.sentence in page.text


def test_a_difference_shows_hunks_and_samples() -> None:
    code = Factor(
        name="code:train.py",
        a="sha256:a",
        b="sha256:b",
        detail={"hunks": [{"lines": "3-4", "a": "x = 1", "b": None}]},
    )
    data = Factor(
        name="data:t.csv",
        a="sha256:a",
        b="sha256:b",
        detail={
            "rows": {"a": 10, "b": 11},
            "reordered": True,
            "columns_added": ["z"],
            "columns_removed": [],
            "columns_changed": [],
            "dtypes": [{"column": "x", "a": "int", "b": "float"}],
            "rows_added": 1,
            "rows_removed": 0,
            "rows_changed": 2,
            "samples": [{"row": 3, "a": ["1", "2"], "b": None}],
        },
    )
    page = read(diff_page("a", "b", [code, data]))
    assert "lines 3-4" in page.text
    assert "10 → 11 rows; rows in another order; column z added; x is float, was int" in page.text
    assert '["1", "2"]' in page.text


def test_no_difference_is_said() -> None:
    assert "No difference between a and b" in read(diff_page("a", "b", [])).text


def test_a_waterfall_ends_where_b_is() -> None:
    drawing = waterfall(0.8, 0.6, [("one", -0.3), ("two", 0.1)])
    assert drawing.count("<rect") == 4
    assert "+.100" in drawing
    assert "-.300" in drawing
