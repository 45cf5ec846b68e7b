"""`why` over two bundles: does another answer come from the model, the code or a library?"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from cli import copy_example, samovar

if TYPE_CHECKING:
    from pathlib import Path


def test_another_model_is_told_from_other_libraries_and_code(tmp_path: Path) -> None:
    a, b = copy_example(tmp_path / "a"), copy_example(tmp_path / "b")
    for folder in (a, b):
        samovar("init", "--yes", cwd=folder)
        settings = folder / "samovar.toml"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace('"predict"', '"predict_proba"'), encoding="utf-8")
    samovar("pack", "--tag", "titanic:a", cwd=a)
    python = samovar("venv", a, tmp_path / "venv", "--json").json["python"]
    made_again = subprocess.run(
        [python, "train.py"], cwd=b, check=False, env={"PARAMS": '{"C": 0.01}'}
    )
    assert made_again.returncode == 0
    for made in ("out.json", "preds.npy"):
        (b / made).unlink()
    requirements = (b / "requirements.txt").read_text()
    older = [
        "joblib==1.4.2" if line.startswith("joblib==") else line for line in requirements.split()
    ]
    (b / "requirements.txt").write_text("\n".join(older) + "\n")
    (b / "server.py").write_text((b / "server.py").read_text() + "\nUNUSED = 1\n")
    samovar("pack", "--tag", "titanic:b", cwd=b)

    differing = samovar("diff", "titanic:a", "titanic:b", "--json").json["factors"]
    assert {one["factor"] for one in differing} == {
        "package:joblib", "code:server.py", "model:models/model.pkl",
    }  # fmt: skip
    answer = samovar("why", "titanic:a", "titanic:b", "--json").json
    assert answer["outcome"] == "explained"
    assert answer["metric"] == "predictions"
    assert [one["factor"] for one in answer["culprits"]] == ["model:models/model.pkl"]
    assert answer["unchanged_factors"] == 2
    again = samovar("why", "titanic:a", "titanic:b", "--json").json
    assert again["runs"] == 0
    assert samovar("why", "titanic:a", "titanic:a", "--json").json["outcome"] == "equal"

    rows = tmp_path / "rows.csv"
    rows.write_text("age,adult,male,pclass\n24,1,1,3\n8,0,0,1\n")
    asked = ["why", "titanic:a", "titanic:b", "--inputs", rows]
    own = samovar(*asked, "--json").json
    assert [one["factor"] for one in own["culprits"]] == ["model:models/model.pkl"]
    assert own["runs"] > 0
    one_row = samovar(*asked, "--row", "1", "--json").json
    assert [one["factor"] for one in one_row["culprits"]] == ["model:models/model.pkl"]
    assert samovar(*asked, "--row", "1", "--json").json["runs"] == 0
    assert "no row 2" in samovar(*asked, "--row", "2", "--json", code=2).error["message"]
    rows.write_text("age,adult,male,cabin\n24,1,1,3\n")
    assert "lacks pclass" in samovar(*asked, "--json", code=2).error["message"]
