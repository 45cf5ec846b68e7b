"""A run is found by its name; one that failed is said to have failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli import samovar
from toy import make_toy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("command", [["reproduce", "broken"], ["why", "broken", "broken"]])
def test_a_run_that_failed_is_not_called_missing(tmp_path: Path, command: list[str]) -> None:
    project = make_toy(tmp_path / "toy")
    script = project / "train.py"
    script.write_text(script.read_text() + 'open("out.json", "w").write("{")\n')
    answer = samovar("train", "--name", "broken", "--json", cwd=project, code=3)
    assert "close the file" in answer.error["hint"]
    error = samovar(*command, "--json", code=2).error
    assert error["code"] == "failed_run"
    assert "--failed" in error["hint"]


def test_predictions_of_another_length_are_named(tmp_path: Path) -> None:
    project = make_toy(tmp_path / "toy")
    samovar("train", "--name", "long", cwd=project)
    script = project / "train.py"
    script.write_text(script.read_text() + 'open("preds.csv", "w").write("p\\n1\\n")\n')
    samovar("train", "--name", "short", cwd=project)
    (note,) = samovar("why", "long", "short", "--json").json["notes"]
    assert note == "A has 3 predictions and B 1: they are of different evaluation sets"
