"""The cases of same code, another result: two recorded runs for each, made by real training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from cli import samovar

CASES = Path(__file__).parent / "data" / "cases"


def make_side(case: Path, side: str, folder: Path, **changes: Any) -> Path:
    """Lay out one side of a case as a project.

    Parameters
    ----------
    case : Path
        Folder with ``case.json`` and the files that it names.
    side : str
        ``A`` or ``B``.
    folder : Path
        Does not exist yet.
    **changes
        Replace fields of the side: ``pins``, ``env``, ``params``, ``data``.
    """
    facts = {**json.loads((case / "case.json").read_text())[side], **changes}
    folder.mkdir(parents=True)
    shutil.copy(case / facts["code"], folder / "train.py")
    for name, source in facts["data"].items():
        shutil.copy(case / source, folder / name)
    (folder / "params.json").write_text(json.dumps(facts["params"]))
    pins = [f"{name}=={version}" for name, version in facts["pins"].items()]
    (folder / "samovar.toml").write_text(
        f'[project]\nname = "case"\npython = "{facts["python"]}"\n'
        f'[environment]\nrequirements = {json.dumps(pins)}\nplatforms = ["linux/amd64"]\n'
        f'[train]\ncommand = "python train.py"\ncode = ["train.py"]\n'
        f"data = {json.dumps(sorted(facts['data']))}\n"
        f'params = "params.json"\nparams_env = "PARAMS"\n'
        f'metrics = "out.json"\npredictions = "preds.npy"\n'
        f"env = {json.dumps(sorted(facts['env']))}\n"
    )
    return folder


def train_side(case: Path, side: str, folder: Path, **changes: Any) -> str:
    """Train one side and give the run's digest."""
    facts = {**json.loads((case / "case.json").read_text())[side], **changes}
    project = make_side(case, side, folder, **changes)
    return samovar("train", "--name", side.lower(), "--json", cwd=project, **facts["env"]).json[
        "run"
    ]
