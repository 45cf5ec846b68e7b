"""A bundle from Python, here and far away: the same types, the same bits."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import samovar as library
from cli import SAMOVAR, samovar
from samovar.errors import EnvironmentMismatch, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(library.__file__).parents[1]
NUMBERS = ["income", "age"]


def table(rows: int) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "income": generator.normal(3e4, 1e4, rows),
            "age": pd.Series(generator.integers(18, 90, rows), dtype="int16"),
            "town": pd.Categorical(
                generator.choice(["Tula", "Omsk"], rows), categories=["Tula", "Omsk", "Perm"]
            ),
        }
    )


@pytest.fixture(scope="module")
def model() -> Any:
    frame = table(200)
    steps = make_column_transformer(
        (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), ["town"])
    )
    return make_pipeline(steps, LogisticRegression()).fit(frame, frame["age"] > 50)


@pytest.fixture(scope="module")
def home(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    table(8).to_parquet(folder / "examples.parquet")
    pins = [f"scikit-learn=={sklearn.__version__}", f"pandas=={pd.__version__}",
            f"numpy=={np.__version__}", "iniconfig==1.1.1"]  # fmt: skip
    (folder / "samovar.toml").write_text(
        f'[project]\nname = "towns"\npython = "{sys.version_info.major}.{sys.version_info.minor}"\n'
        '[model]\npath = "model.pkl"\nmethod = "predict_proba"\n'
        '[examples]\npath = "examples.parquet"\n'
        f'[environment]\nrequirements = {json.dumps(pins)}\nplatforms = ["linux/amd64"]\n'
    )
    packed = samovar("pack", "--json", cwd=folder, SAMOVAR_HOME=folder / "home").json
    assert [column["dtype"] for column in packed["signature"]["inputs"]] == [
        "float64", "int16", "category",
    ]  # fmt: skip
    return folder / "home"


@pytest.fixture
def here(home, monkeypatch) -> None:
    monkeypatch.setenv("SAMOVAR_HOME", str(home))


@pytest.fixture(scope="module")
def url(home) -> Iterator[str]:
    with subprocess.Popen(
        [SAMOVAR, "serve", "towns", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"SAMOVAR_HOME": str(home), "PATH": "/usr/bin:/bin"},
    ) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
        server.terminate()


def test_a_dataframe_gives_the_models_own_bits_here_and_there(here, model, url):
    frame = table(500)
    local = loaded()
    assert local.verdict in {"IDENTICAL", "EQUIVALENT"}
    answers = local.predict(frame[["town", "age", "income"]])
    assert answers.dtype == np.float64
    assert answers.tobytes() == model.predict_proba(frame).tobytes()
    with library.remote(url) as far:
        assert far.name == "towns"
        assert far.predict(frame).tobytes() == answers.tobytes()
        records = [{"income": 1.5e4, "age": 30, "town": "Perm"}]
        assert far.predict(records).tobytes() == local.predict(records).tobytes()


def loaded() -> Any:
    """Load in the tests' own environment, whose other packages may be newer than the lock's."""
    return library.load("towns", allow_version_mismatch=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.assign(age=frame["age"] + 0.5), "'age'"),
        (lambda frame: frame.assign(town="Kazan"), "'town'"),
        (lambda frame: frame.drop(columns="age"), "'age'"),
        (lambda frame: frame.assign(extra=1), "'extra'"),
        (lambda frame: frame.to_numpy()[:, :2], "shape"),
    ],
)
def test_what_does_not_fit_is_named_on_both_sides(here, url, change, said):
    local = loaded()
    with pytest.raises(InvalidInput, match=said):
        local.predict(change(table(3)))
    if said != "shape":
        with library.remote(url) as far, pytest.raises(InvalidInput, match=said):
            far.predict(change(table(3)))


def test_an_environment_that_does_not_answer_the_lock_is_refused(here):
    with pytest.raises(EnvironmentMismatch) as caught:
        library.load("towns")
    assert "iniconfig 1.1.1 is wanted, 2." in str(caught.value)
    assert "samovar venv" in str(caught.value.hint)


SCRIPT = """
import sys
import pandas as pd
import samovar
model = samovar.load("towns")
sys.stdout.write(model.verdict + " " + model.predict(pd.read_parquet(sys.argv[1])).tobytes().hex())
"""


def test_an_environment_that_answers_the_lock_gives_the_same_bits(home, here, tmp_path):
    python = samovar("venv", "towns", tmp_path / "venv", "--json").json["python"]
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--require-hashes"]
    requirements = SOURCE / "samovar" / "deploy" / "samovar-requirements.txt"
    subprocess.run([*uv, "--python", python, "-r", requirements], check=True)
    table(50).to_parquet(tmp_path / "rows.parquet")
    done = subprocess.run(
        [python, "-c", SCRIPT, tmp_path / "rows.parquet"],
        env={"SAMOVAR_HOME": str(home), "PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdict, _, answers = done.stdout.partition(" ")
    assert verdict in {"IDENTICAL", "EQUIVALENT"}
    assert answers == loaded().predict(table(50)).tobytes().hex()


def test_who_is_not_there_is_told(here):
    with pytest.raises(NotFound):
        library.load("nobody")
    with pytest.raises(Unavailable):
        library.remote("http://127.0.0.1:9")
    with pytest.raises(AttributeError, match="nothing"):
        _ = library.nothing
