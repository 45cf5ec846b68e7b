"""`diff` and `why` through the installed command, on tiny scripts whose causes are known."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import textwrap
import time
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli import SAMOVAR, samovar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engines.browser import Chromium

SCRIPT = """
    import csv, json, os, random, sys
    P = json.load(open("params.json"))
    rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(open("train.csv"))]

    def scale(x):
        return x * 2

    def shift(x):
        return x + 1

    def clip(x):
        return max(x, 0)

    score = sum(clip(shift(scale(row["x"]))) * row["y"] for row in rows) / len(rows)
    score += 0.5 * (P["a"] * P["b"])
    score += 0.1 * P["up"] - 0.1 * P["down"]
    score += hash("x") % 97 / 100 if P["hash"] else 0
    score += sys.version_info[1] / 10 if P["python"] else 0
    score += random.gauss(0, 0.05) if P["unseeded"] else 0
    if P["crash"] and not P["guard"]:
        raise SystemExit("crashed")
    json.dump({"score": round(score, 6)}, open("out.json", "w"))
    predictions = [row["x"] for row in rows[:10]] + [P["up"], P["down"], score]
    open("preds.csv", "w").write("p\\n" + "".join(f"{p}\\n" for p in predictions))
"""
PARAMS = dict.fromkeys(
    ("a", "b", "up", "down", "hash", "python", "unseeded", "crash", "guard", "u1", "u2", "u3"), 0
)
ROWS = "x,y\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(400))
TOML = """
    [project]
    name = "toy"
    python = "{python}"
    [environment]
    requirements = []
    [train]
    command = "python train.py"
    code = ["train.py"]
    data = ["train.csv"]
    params = "params.json"
    metrics = "out.json"
    predictions = "preds.csv"
"""


class Pair:
    """Two runs that are the same but for what a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def train(
        self,
        side: str,
        *,
        script: str = SCRIPT,
        rows: str = ROWS,
        python: str = "3.11",
        params: dict[str, Any] | None = None,
        requirements: Sequence[str] = (),
        **variables: str,
    ) -> None:
        folder = self.folder / side
        folder.mkdir()
        (folder / "train.py").write_text(textwrap.dedent(script))
        (folder / "train.csv").write_text(rows)
        (folder / "params.json").write_text(json.dumps({**PARAMS, **(params or {})}))
        settings = textwrap.dedent(TOML.format(python=python))
        settings = settings.replace(
            "requirements = []", f"requirements = {json.dumps(requirements)}"
        )
        (folder / "samovar.toml").write_text(settings)
        given = {"PYTHONHASHSEED": "0", "TZ": "UTC", **variables}
        samovar("train", "--name", side, "--json", cwd=folder, **given)

    def why(self, *arguments: str, code: int = 0) -> Any:
        return samovar("why", "a", "b", *arguments, "--json", code=code).json


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def blamed(answer: Any) -> set[str]:
    return {culprit["factor"] for culprit in answer["culprits"]}


UNUSED = {"u1": 1, "u2": 1, "u3": 1}


def test_two_parameters_that_matter_only_together(pair: Pair) -> None:
    pair.train("a")
    pair.train("b", params={**UNUSED, "a": 1, "b": 1})
    answer = pair.why()
    assert answer["outcome"] == "explained"
    assert blamed(answer) == {"param:a", "param:b"}
    assert [set(one["factors"]) for one in answer["interactions"]] == [{"param:a", "param:b"}]
    assert answer["unchanged_factors"] == 3


def test_two_additive_causes(pair: Pair) -> None:
    pair.train("a")
    pair.train("b", params={**UNUSED, "up": 3, "down": 1})
    effects = {one["factor"]: one["effect"] for one in pair.why()["culprits"]}
    assert effects == {"param:up": pytest.approx(0.3), "param:down": pytest.approx(-0.1)}


@pytest.mark.engine
def test_the_report_is_read_in_a_browser(pair: Pair, chromium: Chromium, tmp_path: Path) -> None:
    pair.train("a")
    pair.train("b", params={**UNUSED, "up": 3, "down": 1})
    page = tmp_path / "why.html"
    sentence = pair.why("--html", str(page))["sentence"]
    shown = chromium.dom(page.as_uri())
    text = unescape(re.sub(r"<[^>]+>", "", shown))
    assert " ".join(sentence.split()) in " ".join(text.split())
    assert "<svg" in shown
    picture = chromium.screenshot(page.as_uri(), tmp_path / "why.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_two_that_cancel_show_in_the_predictions(pair: Pair) -> None:
    pair.train("a")
    pair.train("b", params={**UNUSED, "up": 1, "down": 1})
    answer = pair.why()
    assert answer["metric"] == "predictions"
    assert blamed(answer) == {"param:up", "param:down"}


def test_one_hunk_of_several_is_named_by_its_line(pair: Pair) -> None:
    pair.train("a")
    changed = (
        SCRIPT.replace("x + 1", "x + 5")
        .replace("import csv, json", "import json, csv")
        .replace("max(x, 0)", "max(x, -1)")
        .replace("def scale(x):", "def scale(x):  # twice")
    )
    pair.train("b", script=changed)
    answer = pair.why()
    line = textwrap.dedent(SCRIPT).splitlines().index("    return x + 1") + 1
    assert blamed(answer) == {f"code:train.py#{line}"}


def test_a_block_of_rows_among_hundreds(pair: Pair) -> None:
    pair.train("a")
    lines = ROWS.splitlines()
    for row in range(120, 160):
        x, y = lines[row + 1].split(",")
        lines[row + 1] = f"{x},{1 - int(y)}"
    lines[301] = lines[301] + ".0"
    pair.train("b", rows="\n".join(lines) + "\n", params=UNUSED)
    assert blamed(pair.why()) == {"data:train.csv#rows 120-159"}


def test_a_hash_seed(pair: Pair) -> None:
    pair.train("a", params={"hash": 1})
    pair.train("b", params={**UNUSED, "hash": 1}, PYTHONHASHSEED="1")
    assert blamed(pair.why()) == {"env:PYTHONHASHSEED"}


def test_a_version_of_python(pair: Pair) -> None:
    pair.train("a", params={"python": 1})
    pair.train("b", params={**UNUSED, "python": 1}, python="3.12")
    answer = pair.why()
    assert blamed(answer) == {"python"}
    assert answer["culprits"][0]["effect"] == pytest.approx(0.1)


def test_the_release_at_which_a_package_turned(pair: Pair) -> None:
    script = SCRIPT.replace(
        'if P["crash"]', 'import six\n    score += six.__version__ >= "1.15"\n    if P["crash"]'
    )
    pair.train("a", script=script, requirements=["six==1.12.0"])
    pair.train("b", script=script, requirements=["six==1.17.0"])
    answer = pair.why("--versions")
    (culprit,) = answer["culprits"]
    assert (culprit["factor"], culprit["a"], culprit["b"]) == ("package:six", "1.12.0", "1.17.0")
    assert culprit["between"] == ["1.14.0", "1.15.0"]
    assert "it turned with 1.15.0" in answer["sentence"]
    assert "between" not in pair.why()["culprits"][0]


def test_an_unseeded_script_is_noise(pair: Pair) -> None:
    pair.train("a", params={"unseeded": 1})
    pair.train("b", params={**UNUSED, "unseeded": 1})
    answer = pair.why()
    assert (answer["outcome"], answer["culprits"]) == ("noise", [])
    assert answer["noise"] > 0


def test_mixtures_that_crash_are_answers(pair: Pair) -> None:
    pair.train("a", params={"crash": 0, "guard": 0})
    pair.train("b", params={**UNUSED, "crash": 1, "guard": 1, "up": 2})
    answer = pair.why()
    assert answer["outcome"] == "explained"
    assert blamed(answer) == {"param:up"}


def test_a_budget_is_kept_and_a_second_question_costs_nothing(pair: Pair) -> None:
    pair.train("a")
    pair.train("b", params={**UNUSED, "up": 1})
    cut_short = pair.why("--max-runs", "2", code=1)
    assert (cut_short["outcome"], cut_short["runs"]) == ("unexplained", 2)
    whole = pair.why()
    assert whole["cached_runs"] == 2
    again = pair.why()
    assert (again["runs"], again["culprits"]) == (0, whole["culprits"])


def test_diff_names_every_factor_and_executes_nothing(pair: Pair) -> None:
    pair.train("a")
    changed = SCRIPT.replace("x + 1", "x + 5")
    wider = "".join(f"{line},{'0' if place else 'z'}\n" for place, line in enumerate(ROWS.split()))
    pair.train("b", script=changed, rows=wider, params={"up": 1}, TZ="Asia/Tokyo")
    factors = {one["factor"]: one for one in samovar("diff", "a", "b", "--json").json["factors"]}
    assert set(factors) == {"code:train.py", "data:train.csv", "param:up", "env:TZ"}
    assert factors["data:train.csv"]["detail"]["columns_added"] == ["z"]
    assert (factors["env:TZ"]["a"], factors["env:TZ"]["b"]) == ("UTC", "Asia/Tokyo")
    assert "param:up" in samovar("diff", "a", "b").out


def test_wrong_use_is_said(pair: Pair) -> None:
    pair.train("a")
    pair.train("b", params={"up": 1})
    assert pair.why("--metric", "recall", code=2)["error"]["code"] == "no_such_metric"
    assert samovar("why", "a", "nobody", "--json", code=2).error["code"] == "no_run"
    both = samovar("why", "a", "b", "--metric", "score", "--predictions", "--json", code=2)
    assert both.error["code"] == "wrong_use"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_an_interruption_gives_what_is_known_and_leaves_nothing_running(pair: Pair) -> None:
    # Alone, "up" makes the script take a minute; in B, "guard" spares it that.
    slow = SCRIPT.replace(
        'if P["crash"]',
        'if P["up"] and not P["guard"]:\n'
        '        open(P["marker"], "w").close()\n'
        '        __import__("time").sleep(60)\n'
        '    if P["crash"]',
    )
    marker = pair.folder / "sleeping"
    pair.train("a", script=slow, params={"marker": str(marker)})
    pair.train("b", script=slow, params={"up": 1, "guard": 1, "marker": str(marker)})
    asked = subprocess.Popen(
        [SAMOVAR, "why", "a", "b", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with asked:
        assert wait_for(marker.exists)
        asked.send_signal(signal.SIGINT)
        out, _ = asked.communicate(timeout=30)
    assert asked.returncode == 130
    answer = json.loads(out)
    assert (answer["outcome"], answer["interrupted"]) == ("unexplained", True)
    assert (answer["runs"], blamed(answer)) == (3, {"param:up"})
    assert sleepers() == 0


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)
    return condition()


def sleepers() -> int:
    """Count training scripts that run in this test's home."""
    home = os.environ["SAMOVAR_HOME"]
    found = 0
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            found += str(entry.readlink()).startswith(f"{home}/work")
    return found
