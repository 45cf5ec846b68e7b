"""Every estimator of scikit-learn, and what people build of them, is accepted unasked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from samovar.model.audit import audit_file

DATA = Path(__file__).resolve().parents[1] / "data" / "audit"
SOURCE = Path(audit_file.__code__.co_filename).parents[2]
# Each minor version with libraries of its time; the newest is in the tests' own environment.
PINNED = {
    "1.5": ["scikit-learn==1.5.2", "numpy==1.26.4", "scipy==1.13.1", "pandas==2.2.3"],
    "1.6": ["scikit-learn==1.6.1", "numpy==2.1.3", "scipy==1.14.1", "pandas==2.2.3"],
    "1.7": ["scikit-learn==1.7.2", "numpy==2.3.5", "scipy==1.16.3", "pandas==2.3.3",
            "xgboost-cpu==3.1.3" if sys.platform == "linux" else "xgboost==3.1.3"],
    "1.8": ["scikit-learn==1.8.0", "numpy==2.4.2", "scipy==1.17.1", "pandas==3.0.3"],
}  # fmt: skip
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
LOAD_ALL = """
import json, sys, warnings
from pathlib import Path
sys.path.append(sys.argv[1])
from samovar.runtime.loading import load_stream
warnings.simplefilter("ignore")
failed = {}
for path in sorted(Path(sys.argv[2]).iterdir()):
    if path.name.endswith((".4.pkl", ".5.pkl", "b.joblib", "z.joblib")):
        try:
            load_stream(path)
        except Exception as error:
            failed[path.name] = f"{type(error).__name__}: {error}"
print(json.dumps(failed))
"""


def run(python: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(python), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **ONE_THREAD},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def make_environment(folder: Path, pins: list[str]) -> Path:
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "-q", "--python", sys.executable, str(folder))
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(uv, "pip", "install", "-q", "--only-binary", ":all:", "--python", str(python), *pins)
    return python


def models_of(python: Path, folder: Path) -> dict[str, object]:
    run(python, str(DATA / "honest_models.py"), str(folder))
    made: dict[str, object] = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    return made


def refused_in(folder: Path) -> dict[str, list[str]]:
    reports = {
        path.name: audit_file(path)
        for path in sorted(folder.iterdir())
        if path.suffix in {".pkl", ".joblib"}
    }
    assert len(reports) > 1500
    return {
        name: [f"{finding.global_}: {finding.why}" for finding in report.findings]
        for name, report in reports.items()
        if not report.ok
    }


def check(python: Path, folder: Path, *, version: str) -> None:
    made = models_of(python, folder)
    assert str(made["scikit-learn"]).startswith(version)
    assert (made["skipped"], made["unsaved"]) == ({}, {})
    assert refused_in(folder) == {}
    assert json.loads(run(python, "-c", LOAD_ALL, str(SOURCE), str(folder))) == {}
    report = audit_file(folder / "Ridge.4.pkl")
    assert report.library_versions["scikit-learn"].startswith(version)
    assert report.root == "sklearn.linear_model._ridge.Ridge"


def test_the_installed_scikit_learn_is_accepted_whole(tmp_path: Path) -> None:
    check(Path(sys.executable), tmp_path, version="1.")


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("environments")
    return {version: make_environment(top / version, pins) for version, pins in _here().items()}


def _here() -> dict[str, list[str]]:
    # 1.5 and 1.6 have no wheels for the newest Pythons, 1.8 none for the oldest.
    if sys.version_info >= (3, 14):
        return {version: pins for version, pins in PINNED.items() if version in {"1.7", "1.8"}}
    if sys.version_info < (3, 11):
        return {version: pins for version, pins in PINNED.items() if version in {"1.5", "1.6"}}
    return PINNED


@pytest.mark.engine
@pytest.mark.parametrize("version", _here())
def test_older_scikit_learns_are_accepted_whole(
    version: str, environments: dict[str, Path], tmp_path: Path
) -> None:
    check(environments[version], tmp_path, version=version)


PREDICT_ALL = """
import json, sys, warnings
from pathlib import Path
import numpy as np, pandas as pd
sys.path.append(sys.argv[1])
from samovar.runtime.loading import load_model, load_stream
warnings.simplefilter("ignore")
folder = Path(sys.argv[2])
wrong = {}
for case in json.loads((folder / "manifest.json").read_text()):
    wanted = json.loads((folder / case["ref"]).read_text())
    path = folder / case["file"]
    if case["method"] is None:
        array = load_stream(path)
        assert list(array.shape) == wanted["expected"]["shape"]
        assert np.isclose(array.sum(), wanted["expected"]["sum"])
        continue
    kind = "joblib" if case["format"].startswith("joblib") else "pickle"
    model = load_model(path, kind, method=case["method"])
    rows = wanted["rows"]
    if "columns" in wanted:
        rows = pd.DataFrame(rows, columns=wanted["columns"])
        rows = rows.astype({c: t for c, t in zip(wanted["columns"], wanted["dtypes"]) if t != "str"})
    got = np.asarray(getattr(model, case["method"])(rows))
    expected = np.asarray(wanted["expected"])
    same = np.allclose(got, expected, rtol=1e-6) if got.dtype.kind == "f" else (got == expected).all()
    if not same:
        wrong[case["file"]] = [got.tolist()[:3], expected.tolist()[:3]]
print(json.dumps(wrong))
"""


@pytest.mark.engine
@pytest.mark.skipif("1.7" not in _here(), reason="scikit-learn 1.7 needs Python 3.11 to 3.14 here")
def test_honest_files_predict_as_recorded(environments: dict[str, Path]) -> None:
    wrong = run(environments["1.7"], "-c", PREDICT_ALL, str(SOURCE), str(DATA / "benign"))
    assert json.loads(wrong) == {}
