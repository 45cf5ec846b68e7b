"""`why` names the known cause of real differences between real libraries, and blames nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cases import CASES, train_side
from cli import samovar

pytestmark = pytest.mark.timeout(900)
ANSWERS = {
    "01_kmeans_n_init": ("explained", "package:scikit-learn"),
    "06_pandas_dummies_bool": ("explained", "package:pandas"),
    "13_lightgbm": ("equal", None),
    "14_row_order": ("explained", "data:train.csv#order"),
    "17_timezone": ("explained", "env:HOST_TZ"),
    "19_threads_kmeans": ("equal", None),
}

DECLARED = {
    "package:scikit-learn": "KMeans: the default of n_init went from 'warn' to 'auto'",
    "package:pandas": "get_dummies: the default of dtype went from np.uint8 to bool",
}


@pytest.fixture
def sides(request, tmp_path) -> tuple[str, str]:
    case = CASES / request.param
    return train_side(case, "A", tmp_path / "a"), train_side(case, "B", tmp_path / "b")


@pytest.mark.parametrize(
    ("sides", "outcome", "culprit"),
    [(name, *answer) for name, answer in ANSWERS.items()],
    indirect=["sides"],
    ids=ANSWERS,
)
def test_the_known_cause_is_found(sides, outcome, culprit):
    answer = samovar("why", *sides, "--json").json
    assert answer["outcome"] == outcome
    assert [one["factor"] for one in answer["culprits"]] == ([culprit] if culprit else [])
    declared = [text for one in answer["culprits"] for text in one.get("declared", ())]
    assert declared[:1] == [text for name, text in DECLARED.items() if name == culprit]
    if culprit is not None:
        again = samovar("why", *sides, "--json").json
        assert again["runs"] == 0
        assert again["culprits"] == answer["culprits"]


@pytest.mark.parametrize("sides", ["19_threads_kmeans"], indirect=True)
def test_bits_that_threads_moved_are_explained_on_request(sides):
    answer = samovar("why", *sides, "--bitwise", "--json").json
    assert [one["factor"] for one in answer["culprits"]] == ["machine:threads"]


def test_one_cause_among_sixteen_differences_in_at_most_eight_runs(tmp_path):
    case = CASES / "06_pandas_dummies_bool"
    facts = json.loads((case / "case.json").read_text())["B"]
    params = {f"unused_{number}": number for number in range(12)}
    pins = {**facts["pins"], "six": "1.15.0", "pytz": "2023.3", "tzdata": "2023.3"}
    a = train_side(case, "A", tmp_path / "a")
    b = train_side(case, "B", tmp_path / "b", pins=pins, params=params)
    answer = samovar("why", a, b, "--json").json
    assert [one["factor"] for one in answer["culprits"]] == ["package:pandas"]
    assert answer["unchanged_factors"] == 15
    assert answer["runs"] <= 4
    assert answer["culprits"][0]["changelog"]["place"].startswith("https://pandas.pydata.org")
    assert "because pandas went from 1.5.3 to 2.2.2" in answer["sentence"]
    assert (answer["a"], answer["b"]) == (0.811, 0.55)


def test_the_cause_can_be_checked_by_hand(tmp_path):
    case = CASES / "06_pandas_dummies_bool"
    b = train_side(case, "B", tmp_path / "b")
    answer = samovar("reproduce", b, "--with", "pandas==1.5.3", "--json", code=1).json
    assert answer["metrics"]["metrics.accuracy"] == {"recorded": 0.55, "observed": 0.811}


def test_the_report_is_one_file(tmp_path):
    case = CASES / "14_row_order"
    a, b = train_side(case, "A", tmp_path / "a"), train_side(case, "B", tmp_path / "b")
    report = Path(tmp_path / "why.html")
    samovar("why", a, b, "--html", report)
    text = report.read_text(encoding="utf-8")
    assert "order of the rows" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
