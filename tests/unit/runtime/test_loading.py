"""Loading under the policy: what is allowed comes back whole, anything else is named."""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from samovar.errors import EnvironmentMismatch, InvalidModel, Refused
from samovar.model.audit import audit_file, refusal
from samovar.runtime.loading import load_model, load_stream
from samovar.runtime.loading_limits import limited
from streams import EMPTY_TUPLE, ESTIMATOR, NEW, call, made, name, stream, text

if TYPE_CHECKING:
    from pathlib import Path

ROWS = np.arange(12.0).reshape(6, 2)
STEPS = """
class Clip:
    def __init__(self, low):
        self.low = low
    def predict(self, rows):
        return [max(self.low, row) for row in rows]
def shift(rows):
    return rows
"""


@pytest.fixture
def fitted() -> Any:
    steps = (FunctionTransformer(np.log1p), StandardScaler(), LinearRegression())
    return make_pipeline(*steps).fit(ROWS, ROWS[:, 0])


@pytest.mark.parametrize("protocol", range(6))
def test_a_model_answers_as_it_did(fitted: Any, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(fitted, protocol))
    loaded = load_model(path, "pickle", method="predict")
    assert loaded.predict(ROWS).tolist() == fitted.predict(ROWS).tolist()


def test_a_missing_method_is_named_with_those_that_there_are(fitted: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(fitted))
    with pytest.raises(InvalidModel, match="no method predict_proba") as caught:
        load_model(path, "pickle", method="predict_proba")
    assert caught.value.hint is not None
    assert "predict" in caught.value.hint
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(InvalidModel, match=r"builtins\.list") as caught:
        load_model(path, "pickle", method="predict")
    assert caught.value.hint == "It is no fitted model."


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "project_steps.py").write_text(STEPS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import project_steps  # type: ignore[import-not-found] # written a moment ago

    yield project_steps
    sys.modules.pop("project_steps")


def test_the_projects_own_class_is_loaded_where_it_is_trusted(steps: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(steps.Clip(3)))
    report = audit_file(path)
    error = refusal(report, path)
    assert error.hint is not None
    assert "project_steps.Clip" in error.message
    assert "trusted" in error.hint
    with pytest.raises(Refused, match=r"project_steps\.Clip"):
        load_model(path, "pickle", method="predict")
    trusted = ["project_steps.Clip"]
    assert audit_file(path, trusted=trusted).ok
    assert load_model(path, "pickle", trusted=trusted, method="predict").predict([1, 5]) == [3, 5]
    path.write_bytes(stream(call("project_steps.Clip", text("a"))))
    assert load_model(path, "pickle", trusted=trusted, method="predict").low == "a"


def test_a_function_of_the_project_must_be_trusted_by_its_own_name(
    steps: Any, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(FunctionTransformer(steps.shift).fit(ROWS)))
    assert not audit_file(path, trusted=["project_steps.Clip"]).ok
    with pytest.raises(Refused, match=r"project_steps\.shift"):
        load_model(path, "pickle", trusted=["project_steps.Clip"], method="transform")
    assert audit_file(path, trusted=["project_steps.shift"]).ok
    load_model(path, "pickle", trusted=["project_steps.shift"], method="transform")


def test_a_class_of_main_gets_its_own_hint(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(stream(name("__main__.Clip"), EMPTY_TUPLE, NEW))
    error = refusal(audit_file(path, trusted=["__main__.Clip"]), path)
    assert error.hint is not None
    assert "move it into a module" in error.hint
    path.write_bytes(stream(call("dill._dill._eval_repr", text("1"))))
    error = refusal(audit_file(path), path)
    assert error.hint is not None
    assert "functions as code" in error.hint


def test_a_name_that_this_version_lacks_is_the_environments_fault(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(stream(made("sklearn.ensemble._gb_losses.MultinomialDeviance")))
    assert audit_file(path).ok
    with pytest.raises(EnvironmentMismatch, match="_gb_losses"):
        load_model(path, "pickle", method="predict")


def test_a_library_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"tree\nversion=v4\n")
    for library in ("xgboost", "lightgbm", "catboost", "onnxruntime", "skops"):
        monkeypatch.setitem(sys.modules, library, None)
    for format_ in ("xgboost", "lightgbm", "catboost", "onnx", "skops"):
        with pytest.raises(EnvironmentMismatch, match=format_):
            load_model(path, format_, method="predict")


def test_damage_and_other_formats_are_said_to_be_so(fitted: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    content = pickle.dumps(fitted)
    for broken in (content[:-1], content[: len(content) // 2], content[:1], b"\xff", b"."):
        path.write_bytes(broken)
        with pytest.raises(InvalidModel):
            load_model(path, "pickle", method="predict")
    path.write_bytes(content + b"more")
    with pytest.raises(Refused, match="data follows"):
        load_model(path, "pickle", method="predict")
    with pytest.raises(InvalidModel, match="format torch"):
        load_model(path, "torch", method="predict")


def test_what_a_constructor_raises_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(stream(call("fractions.Fraction", text("no number"))))
    assert audit_file(path).ok
    with pytest.raises(InvalidModel, match="ValueError"):
        load_model(path, "pickle", method="predict")


def test_nothing_of_pickle_is_changed_by_loading(fitted: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(fitted))
    before = dict(pickle._Unpickler.dispatch)
    load_stream(path)
    assert pickle._Unpickler.dispatch == before
    assert pickle.Unpickler.__module__ == "_pickle"
    path.write_bytes(stream(made(ESTIMATOR)))


@pytest.mark.skipif(os.name == "nt", reason="the limits are POSIX's: run it there")
def test_limits_hold_while_loading_and_are_taken_back() -> None:
    import resource

    kinds = (resource.RLIMIT_AS, resource.RLIMIT_CPU)
    before = [resource.getrlimit(kind) for kind in kinds]
    with limited(1 << 20):
        within = [resource.getrlimit(kind)[0] for kind in kinds]
        assert all(limit > 0 for limit in within)
    assert [resource.getrlimit(kind) for kind in kinds] == before
