"""A project of the standard library alone, whose training costs nothing."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from cli import samovar

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
    import csv, json, os, random
    params = json.load(open("params.json"))
    rows = [float(row["x"]) for row in csv.DictReader(open("data/train.csv"))]
    random.seed(params["seed"])
    scale = params["model"]["scale"]
    predictions = [x * scale + random.random() for x in rows]
    json.dump({"mean": sum(predictions) / len(predictions), "n": len(rows)}, open("out.json", "w"))
    with open("preds.csv", "w") as file:
        file.write("p\\n" + "".join(f"{p!r}\\n" for p in predictions))
    os.makedirs("models", exist_ok=True)
    open("models/model.json", "w").write(json.dumps({"scale": scale}))
"""
SETTINGS = """
    [project]
    name = "toy"
    python = "3.11"
    [environment]
    requirements = []
    [train]
    command = "python train.py"
    code = ["train.py"]
    params = "params.json"
    metrics = "out.json"
"""
"""What every project of the standard library alone has."""
TOML = f"""{SETTINGS}
    data = ["data/train.csv"]
    predictions = "preds.csv"
    outputs = ["models/model.json"]
"""


def write(path: Path, text: str) -> None:
    """Write a file without the text's indentation; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def make_toy(folder: Path) -> Path:
    """Write the project into a folder and give it."""
    write(folder / "train.py", SCRIPT)
    write(folder / "samovar.toml", TOML)
    write(folder / "params.json", '{"seed": 1, "model": {"scale": 2.0}}')
    write(folder / "data" / "train.csv", "x\n1\n2\n3\n")
    return folder


def train(project: Path, *arguments: str, **options) -> dict:
    """Train a project and give the document."""
    return samovar("train", *arguments, "--json", cwd=project, **options).json
