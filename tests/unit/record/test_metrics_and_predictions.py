import json
import math
from pathlib import Path

import pytest

from samovar.errors import ScriptFailed
from samovar.record.metrics import read_metrics
from samovar.record.predictions import read_predictions

DATA = Path(__file__).parents[2] / "data" / "arrays"


def test_nested_metrics_are_joined_by_dots(tmp_path):
    path = tmp_path / "out.json"
    path.write_text(
        '{"test": {"accuracy": 0.8, "n": [1, 2]}, "loss": NaN, "name": "x", "ok": true}'
    )
    metrics = read_metrics(path, "out.json")
    assert metrics.values == {"loss": None, "test.accuracy": 0.8, "test.n.0": 1, "test.n.1": 2}
    assert len(metrics.warnings) == 3


@pytest.mark.parametrize(
    ("name", "text"), [("m.yaml", "a: 1\nb: {c: 2.5}\n"), ("m.toml", "a = 1\nb.c = 2.5\n")]
)
def test_metrics_may_be_yaml_or_toml(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_metrics(tmp_path / name, name).values == {"a": 1, "b.c": 2.5}


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"a": "x"}', "{", "7"])
def test_what_is_no_metrics_file_is_said(tmp_path, text):
    path = tmp_path / "out.json"
    path.write_text(text)
    with pytest.raises(ScriptFailed, match=r"out\.json"):
        read_metrics(path, "out.json")
    with pytest.raises(ScriptFailed, match="wrote no metrics"):
        read_metrics(tmp_path / "absent.json", "absent.json")


def test_malformed_yaml_and_toml_are_said(tmp_path):
    for name, text in (("a.yaml", "a: [1"), ("a.toml", "a = ")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ScriptFailed, match="cannot be read"):
            read_metrics(tmp_path / name, name)


@pytest.mark.parametrize(
    "case", json.loads((DATA / "expected.json").read_text()), ids=lambda case: case["file"]
)
def test_arrays_as_numpy_saved_them(case):
    (tensor,) = read_predictions(DATA / case["file"], case["file"])
    assert tensor.datatype == case["datatype"]
    assert list(tensor.shape) == case["shape"]
    assert list(tensor.data) == case["data"]


def test_csv_columns_become_tensors(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("id,score,label\n1,0.5,a\n2,,b\n")
    by_name = {tensor.name: tensor for tensor in read_predictions(path, "p.csv")}
    assert by_name["id"].datatype == "INT64"
    assert by_name["score"].data == (0.5, "NaN")
    assert by_name["label"].data == ("a", "b")


def test_csv_without_header_keeps_its_first_row(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("0.5\n0.25\n")
    (tensor,) = read_predictions(path, "p.csv")
    assert tensor.data == (0.5, 0.25)


@pytest.mark.parametrize(
    ("text", "datatype", "shape"),
    [
        ("[1, 2]", "INT64", (2,)),
        ('{"predictions": [0.5, 1]}', "FP64", (2,)),
        ("[[true], [false]]", "BOOL", (2, 1)),
        ('["a", null]', "BYTES", (2,)),
        ("[]", "BOOL", (0,)),
    ],
)
def test_json_predictions(tmp_path, text, datatype, shape):
    path = tmp_path / "p.json"
    path.write_text(text)
    (tensor,) = read_predictions(path, "p.json")
    assert (tensor.datatype, tensor.shape) == (datatype, shape)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.npy", b"no array"),
        ("p.npy", b"\x93NUMPY\x01\x00\x02\x00{}"),
        ("p.csv", b""),
        ("p.csv", b"a,b\n1\n"),
        ("p.json", b"{"),
        ("p.json", b"[[1],[2,3]]"),
        ("p.json", b"7"),
        ("p.txt", b"1"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScriptFailed, match=name):
        read_predictions(tmp_path / name, name)
    with pytest.raises(ScriptFailed, match="wrote no predictions"):
        read_predictions(tmp_path / "absent.npy", "absent.npy")


def test_non_finite_numbers_survive(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("x\ninf\n-inf\nnan\n")
    (tensor,) = read_predictions(path, "p.csv")
    assert tensor.data == ("Infinity", "-Infinity", "NaN")
    assert math.isinf(float(tensor.data[0]))
