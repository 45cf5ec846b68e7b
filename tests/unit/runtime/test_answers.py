"""A model's answers, whatever they are, become named arrays, tensors and JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from samovar.errors import InvalidModel, ScriptFailed
from samovar.runtime.outputs import Answer, arrange, concatenate, json_scalar, to_tensor
from samovar.runtime.predictor import bound_method, own_words
from samovar.runtime.protocols.plain import encode_list, encode_singles


@pytest.mark.parametrize(
    ("raw", "datatype", "shape"),
    [
        (np.array([1, 2]), "INT64", (2,)),
        (np.array([1.5, 2], np.float32), "FP32", (2,)),
        (np.array([[1.0], [2.0]]), "FP64", (2, 1)),
        (np.array([True, False]), "BOOL", (2,)),
        (np.array(["a", "b"]), "BYTES", (2,)),
        (np.array([b"a", b"b"]), "BYTES", (2,)),
        (np.array([1.0, 2.0], ">f8"), "FP64", (2,)),
        (np.array(["2024-01-01", "2024-01-02"], "M8[D]"), "BYTES", (2,)),
        (sparse.csr_matrix([[0.0, 1.0], [2.0, 0.0]]), "FP64", (2, 2)),
        (pd.Series([1, 2]), "INT64", (2,)),
        (pd.DataFrame({"a": [1.0, 2.0]}), "FP64", (2, 1)),
        ([1, 2], "INT64", (2,)),
        ([1, "a"], "BYTES", (2,)),
        (["a", "b"], "BYTES", (2,)),
        ([[1], [1, 2]], "BYTES", (2,)),
    ],
)
def test_answers_of_every_kind(raw: Any, datatype: str, shape: tuple[int, ...]) -> None:
    (answer,) = arrange(raw, 2)
    assert (answer.name, answer.datatype, answer.values.shape) == ("prediction", datatype, shape)
    tensor = to_tensor(answer)
    assert type(tensor).from_json(tensor.to_json()) == tensor


def test_a_list_of_matrices_is_several_outputs() -> None:
    answers = arrange([np.ones((2, 3)), np.zeros((2, 2))], 2)
    assert [(a.name, a.values.shape) for a in answers] == [
        ("prediction_0", (2, 3)),
        ("prediction_1", (2, 2)),
    ]


def test_labels_keep_their_types() -> None:
    (answer,) = arrange([1, "1", True, None], 4)
    assert to_tensor(answer).data == (1, "1", True, None)


def test_floats_that_json_lacks() -> None:
    (answer,) = arrange(np.array([np.nan, np.inf, -np.inf, 0.1]), 4)
    assert to_tensor(answer).data == ("NaN", "Infinity", "-Infinity", 0.1)
    assert encode_singles([answer]) == [b"null", b"null", b"null", b"0.1"]


def test_too_few_answers_are_an_error() -> None:
    with pytest.raises(ScriptFailed, match="answered 3 rows"):
        arrange(np.zeros(2), 3)
    with pytest.raises(ScriptFailed):
        arrange(np.float64(1), 1)


def test_singles_and_lists_are_the_same_values() -> None:
    for raw in (
        np.array([0.1, 1e300, -0.0]),
        np.array([1, -(2**62), 3]),
        np.array([True, False, True]),
        np.array(["a,b", '"', "é"], dtype=object),
        np.arange(6.0).reshape(3, 2),
        [np.ones((3, 2)), np.zeros((3, 1))],
    ):
        answers = arrange(raw, 3)
        singles = [msgspec.json.decode(part) for part in encode_singles(answers)]
        body, _, _ = encode_list(None, answers)  # type: ignore[arg-type] # it needs no exchange
        assert msgspec.json.decode(body) == {"predictions": singles}


def test_parts_are_joined() -> None:
    parts = [(Answer("p", np.array([i])),) for i in range(3)]
    assert concatenate(parts)[0].values.tolist() == [0, 1, 2]


def test_scalars_of_any_type() -> None:
    values = [np.int64(1), np.str_("a"), b"\xff", (1, 2), {"a": np.bool_(True)}, date(2024, 1, 2)]
    assert [json_scalar(value) for value in values] == [
        1, "a", "\\xff", [1, 2], {"a": True}, "2024-01-02",
    ]  # fmt: skip


def test_a_missing_method_names_those_that_are_there() -> None:
    class Scaler:
        def transform(self, rows: Any) -> Any:
            return rows

    with pytest.raises(InvalidModel) as caught:
        bound_method(Scaler(), "predict")
    assert caught.value.hint == "It has: transform."
    assert own_words(ValueError("two\nlines")) == "ValueError: two lines"
    assert len(own_words(ValueError("x" * 1000))) < 600
