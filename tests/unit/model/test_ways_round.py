"""Ways round a reader, tried: each is refused by the audit, which names it, and by the loader.

The files are written by the real libraries where those write such things; the command would leave
a marker.
"""

from __future__ import annotations

import functools
import io
import json
import operator
import os
import pickle
import zipfile
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from samovar.errors import InvalidModel, SamovarError
from samovar.model.audit import audit_file
from samovar.runtime.loading import load_model, load_stream
from streams import (
    ARRAY,
    BUILD,
    EMPTY_DICT,
    EMPTY_TUPLE,
    ESTIMATOR,
    FALSE,
    MEMOIZE,
    NEW,
    NONE,
    TRUE,
    array,
    call,
    dtype,
    made,
    name,
    number,
    pack,
    raw,
    settled,
    stream,
    table,
    text,
)

if TYPE_CHECKING:
    from pathlib import Path


class Runs:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ('touch "$SAMOVAR_MARKER"',)


def search(scorer: Any) -> GridSearchCV:
    return GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring=scorer)


def with_attribute(model: Any, attribute: str, value: Any) -> Any:
    setattr(model, attribute, value)
    return model


def frame_with(value: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1, 2]})
    frame.attrs["a"] = value
    return frame


OBJECTS: dict[str, tuple[Any, str]] = {
    "a function of FunctionTransformer": (FunctionTransformer(os.system), "posix.system"),
    "its arguments": (FunctionTransformer(np.log1p, kw_args={"where": Runs()}), "posix.system"),
    "its inverse in a pipeline": (
        Pipeline([("a", FunctionTransformer(np.log1p, inverse_func=eval))]), "builtins.eval",
    ),
    "a scorer": (search(make_scorer(os.system)), "posix.system"),
    "a partial function as scorer": (
        search(functools.partial(os.system, "true")), "functools.partial",
    ),
    "a metric": (KNeighborsClassifier(metric=os.system), "posix.system"),
    "an analyzer": (CountVectorizer(analyzer=os.system), "posix.system"),
    "a getter of attributes": (
        FunctionTransformer(operator.attrgetter("a")), "operator.attrgetter",
    ),
    "a caller of methods": (
        FunctionTransformer(operator.methodcaller("a")), "operator.methodcaller",
    ),
    "a method of a string": (FunctionTransformer("{0.a}".format), "builtins.getattr"),
    "an attribute that shadows a method": (
        with_attribute(LinearRegression(), "predict", os.system), "posix.system",
    ),
    "a hidden attribute": (with_attribute(LinearRegression(), "_b", [{"a": Runs()}]), "posix.system"),
    "an array of objects": (np.array([Runs()], dtype=object), "posix.system"),
    "an array of objects in an array of objects": (
        np.array([np.array([Runs(), None], dtype=object), None], dtype=object), "posix.system",
    ),
    "a field of objects": (np.array([(1, Runs())], dtype=[("a", "i4"), ("b", "O")]), "posix.system"),
    "the metadata of a data type": (
        np.zeros(2, dtype=np.dtype("f8", metadata={"a": Runs()})), "posix.system",
    ),
    "a frame": (pd.DataFrame({"a": [Runs(), None]}), "posix.system"),
    "a frame's notes": (frame_with(Runs()), "posix.system"),
    "an index": (pd.Index([Runs(), 1], dtype=object), "posix.system"),
    "a vectorized function": (FunctionTransformer(np.vectorize(eval)), "builtins.eval"),
    "a reader of files": (FunctionTransformer(np.load), "numpy.load"),
    "a reader of pickles": (FunctionTransformer(pd.read_pickle), "pandas.read_pickle"),
}  # fmt: skip

STREAMS: dict[str, tuple[bytes, str]] = {
    "an estimator made as an index": (
        call("pandas.core.indexes.base._new_Index", name(ESTIMATOR), table(text("data"), ARRAY)),
        "pandas.core.indexes.base._new_Index",
    ),
    "a setter of states as an attribute": (
        made(ESTIMATOR, text("__setstate__"), name("numpy.exp")), ESTIMATOR,
    ),
    "a reducer as an attribute": (
        made(ESTIMATOR, text("__reduce_ex__"), name("numpy.exp")), ESTIMATOR,
    ),
    "another class by a slot": (
        name(ESTIMATOR) + EMPTY_TUPLE + NEW
        + pack(NONE, table(text("__class__"), name("builtins.dict"))) + BUILD, ESTIMATOR,
    ),
    "a subclass that opens files": (
        call("numpy._core.multiarray._reconstruct", name("numpy.lib._datasource.DataSource"),
             pack(number(0)), raw(b"b")), "numpy.lib._datasource.DataSource",
    ),
    "an array in a file beside": (
        made("joblib.numpy_pickle_compat.NDArrayWrapper", text("filename"), text("/etc/passwd"),
             text("subclass"), name("numpy.ndarray"), text("allow_mmap"), TRUE),
        "joblib.numpy_pickle_compat.NDArrayWrapper",
    ),
    "a memory map": (
        call("numpy.memmap", text("/etc/passwd"), text("u1"), text("r+")), "numpy.memmap",
    ),
    "a booster that is a path": (
        call("xgboost.core.Booster", NONE, pack(), text("/etc/passwd")), "xgboost.core.Booster",
    ),
    "a distribution of another text": (
        made("scipy.stats._continuous_distns.norm_gen", text("_parse_arg_template"),
             text("\ndef _parse_args(self,  loc=print(1), scale=1):\n")),
        "scipy.stats._continuous_distns.norm_gen",
    ),
    "a function of code": (
        call("types.FunctionType", call("types.CodeType", number(0)), EMPTY_DICT), "types.FunctionType",
    ),
    "a function as cloudpickle writes it": (
        call(
            "cloudpickle.cloudpickle._make_function",
            call("cloudpickle.cloudpickle._builtin_type", text("CodeType")),
            EMPTY_DICT,
        ),
        "cloudpickle.cloudpickle._make_function",
    ),
    "a method of a listed class": (
        call(f"{ESTIMATOR}.fit", NONE), f"{ESTIMATOR}.fit",
    ),
    "a module behind a listed one": (call("sklearn.base.os.system", text("true")), "sklearn.base.os.system"),
    "a listed name in another module": (
        call("sklearn.pipeline.clone", NONE), "sklearn.pipeline.clone",
    ),
    "pointers of the file's bytes": (
        array(settled("O8"), (1 << 40).to_bytes(8, "little")), "numpy.dtype",
    ),
    "pointers in a field": (
        array(
            settled("V8", size=8, alignment=1,
                    parts=(NONE, pack(text("a")),
                           table(text("a"), pack(settled("O8", flags=63), number(0))))),
            (1 << 40).to_bytes(8, "little"),
        ),
        "numpy.dtype",
    ),
    "an array that grows behind its memory": (
        pack(
            ARRAY + pack(number(1), pack(number(1)), dtype("V8") + MEMOIZE, FALSE, raw(bytes(8))) + BUILD,
            b"h\x00" + pack(number(3), text("|"), NONE, NONE, NONE, number(4000), number(1), number(0))
            + BUILD,
        ),
        "numpy.dtype",
    ),
}  # fmt: skip


def test_arrow_arrays_beyond_their_buffers(tmp_path: Path) -> None:
    honest = pickle.dumps(pa.array(["a", "bc", "d"]), 2)
    path = tmp_path / "model.pkl"
    path.write_bytes(honest)
    assert audit_file(path).ok
    assert load_stream(path).to_pylist() == ["a", "bc", "d"]
    offsets = b"\x00\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00"
    path.write_bytes(pickle.dumps(pa.array(["a", "bc", "d"]), 5).replace(offsets, b"\x7f" * 16))
    assert audit_file(path).ok
    with pytest.raises(InvalidModel, match="cannot be loaded"):
        load_model(path, "pickle", method="predict")


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "marker"
    monkeypatch.setenv("SAMOVAR_MARKER", str(path))
    return path


def check(path: Path, named: str, marker: Path) -> None:
    report = audit_file(path)
    assert not report.ok
    assert named in {finding.global_ for finding in report.findings}, report.findings
    with pytest.raises((SamovarError, UnpicklingError)):
        load_stream(path)
    assert not marker.exists()


@pytest.mark.parametrize("case", OBJECTS)
def test_objects_in_pickles_and_joblib_files(case: str, tmp_path: Path, marker: Path) -> None:
    value, named = OBJECTS[case]
    path = tmp_path / "model"
    for protocol in (0, 2, 5):
        path.write_bytes(pickle.dumps(value, protocol))
        check(path, named, marker)
    for compress in (0, 3):
        joblib.dump(value, path, compress=compress)
        check(path, named, marker)


@pytest.mark.parametrize("case", STREAMS)
def test_streams_that_no_library_writes(case: str, tmp_path: Path, marker: Path) -> None:
    content, named = STREAMS[case]
    path = tmp_path / "model.pkl"
    path.write_bytes(stream(content))
    check(path, named, marker)


def test_an_npz_member_of_objects(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, a=np.zeros(3), b=np.array([Runs()], dtype=object))
    report = audit_file(path)
    assert "posix.system" in {finding.global_ for finding in report.findings}
    with pytest.raises(SamovarError):
        load_model(path, "npz", method="predict")


LEAF = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"a"'}
SKOPS = {
    "a function": {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
    "a type": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode"},
    "an object": {
        "__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "content": LEAF,
    },
    "a name behind a listed module": {
        "__class__": "os.system", "__module__": "sklearn.base", "__loader__": "FunctionNode",
    },
    "a method": {
        "__class__": "method", "__module__": "builtins", "__loader__": "MethodNode",
        "content": {"func": "system", "obj": LEAF},
    },
    "an operator": {
        "__class__": "attrgetter", "__module__": "operator", "__loader__": "OperatorFuncNode",
        "attrs": LEAF,
    },
    "a reducer": {
        "__class__": "system", "__module__": "os", "__loader__": "ConstructorFromReduceNode",
        "__reduce__": {"args": LEAF}, "content": LEAF,
    },
    "a loss of another class": {
        "__class__": "system", "__module__": "os", "__loader__": "LossNode",
        "__reduce__": {"args": LEAF}, "content": LEAF,
    },
    "another function than the node's": {
        "__class__": "log1p", "__module__": "numpy", "__loader__": "FunctionNode",
        "content": {"module_path": "os", "function": "system"},
    },
    "a dictionary of another class": {
        "__class__": "Popen", "__module__": "subprocess", "__loader__": "DictNode", "content": {},
        "key_types": dict(LEAF, __loader__="ListNode", content=[]),
    },
    "deep in a list": {
        "__class__": "list", "__module__": "builtins", "__loader__": "ListNode",
        "content": [{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}],
    },
    "a loader of nobody's": {"__class__": "a", "__module__": "b", "__loader__": "EvalNode"},
}  # fmt: skip


@pytest.mark.parametrize("case", SKOPS)
def test_nodes_of_skops(case: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(written := io.BytesIO(), "w") as archive:
        archive.writestr("schema.json", json.dumps(SKOPS[case]))
    path = tmp_path / "model.skops"
    path.write_bytes(written.getvalue())
    report = audit_file(path)
    assert report.format == "skops"
    assert [finding.global_ for finding in report.findings if finding.global_]
