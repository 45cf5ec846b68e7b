"""A network of Keras, on JAX, through a function of the project: proven, equal to Keras's answers."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from cli import samovar

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)

JAX = "jax==0.7.2" if sys.version_info >= (3, 11) else "jax==0.6.2"
PINS = ["keras==3.12.0", JAX, "numpy==2.2.6"]
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
NET = """
    import os
    from pathlib import Path

    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    class Net:
        def __init__(self, path):
            self.net = keras.models.load_model(path)

        def predict(self, rows):
            return self.net.predict(rows, verbose=0)

    def load():
        return Net(Path(__file__).parent / "model.keras")
"""
TRAIN = """
    import json, os
    os.environ["KERAS_BACKEND"] = "jax"
    import keras, numpy as np

    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax")]
    net = keras.Sequential(layers)
    net.save("model.keras")
    rows = np.random.default_rng(1).normal(size=(4, 3))
    json.dump(rows.tolist(), open("examples.json", "w"))
    answers = [net.predict(row[None], verbose=0)[0].tolist() for row in rows]
    json.dump(answers, open("answers.json", "w"))
"""


def test_a_network_is_proven_and_answers_as_keras_does(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(textwrap.dedent(NET))
    (tmp_path / "train.py").write_text(textwrap.dedent(TRAIN))
    (tmp_path / "samovar.toml").write_text(
        f'[project]\nname = "net"\npython = "{MINOR}"\n[model]\nfactory = "net:load"\n'
        '[examples]\npath = "examples.json"\n'
        '[service]\ncode = ["net.py", "model.keras"]\n'
        f'[environment]\nrequirements = {json.dumps(PINS)}\nplatforms = ["linux/amd64"]\n'
    )
    home = tmp_path / "home"
    python = samovar("venv", "--json", cwd=tmp_path, SAMOVAR_HOME=home).json["python"]
    subprocess.run([python, "train.py"], cwd=tmp_path, check=True, timeout=300)
    samovar("pack", cwd=tmp_path, SAMOVAR_HOME=home)
    verified = samovar("verify", "net", "--python", python, "--json", SAMOVAR_HOME=home).json
    assert (verified["verdict"], verified["rows"]) == ("IDENTICAL", 4)
    rows = tmp_path / "examples.json"
    answer = samovar("predict", "net", rows, "--json", SAMOVAR_HOME=home).json
    assert answer["predictions"] == json.loads((tmp_path / "answers.json").read_text())
