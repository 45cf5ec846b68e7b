"""Containers: what is inside is found, and what cannot be read for certain is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import joblib
import lz4.frame
import numpy as np
import pytest

from samovar.errors import InvalidModel
from samovar.model.audit import audit_file
from samovar.runtime.loading import load_stream
from streams import STOP, call, dtype, made, name, number, pack, raw, stream, text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAYLOAD = stream(call("posix.system", text("true")))
HONEST = pickle.dumps({"coef": [1.0, 2.0], "names": ("a", "b")}, protocol=4)
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "lz4": lz4.frame.compress,
}


def audit(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    return audit_file(path)


def zipped(members: dict[str, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compressed_streams_are_read_and_nothing_may_follow_them(
    compression: str, tmp_path: Path
) -> None:
    compress = COMPRESSIONS[compression]
    report = audit(tmp_path, compress(HONEST))
    assert report.ok
    assert report.format == "joblib"
    assert load_stream(tmp_path / "model.bin") == pickle.loads(HONEST)
    refused = audit(tmp_path, compress(PAYLOAD))
    assert [finding.global_ for finding in refused.findings] == ["posix.system"]
    for broken in (
        compress(HONEST)[:-6], compress(HONEST) + b"more", compress(HONEST + PAYLOAD),
        compress(HONEST)[:12] + bytes(20), compress(HONEST) + compress(PAYLOAD),
    ):  # fmt: skip
        assert not audit(tmp_path, broken).ok
        with pytest.raises(Exception, match=r".+"):
            load_stream(tmp_path / "model.bin")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["f8", ">f4", "i2", "?", "U3", "S5", "M8[s]", "V7", "c16", "O"])
def test_joblib_arrays_are_passed_over_exactly(kind: str, order: str, tmp_path: Path) -> None:
    array = np.asarray(np.zeros((3, 4), dtype=kind), order=order)
    model = {"before": [1, "a"], "array": array, "none": np.zeros((0, 2)), "after": ("b", 2)}
    for compress in (0, ("zlib", 1)):
        path = tmp_path / "model.joblib"
        joblib.dump(model, path, compress=compress)
        assert audit_file(path).findings == ()
        loaded = load_stream(path)
        assert loaded["after"] == ("b", 2)
        assert loaded["array"].tolist() == array.tolist()
        assert loaded["array"].flags.f_contiguous == (order == "F")
        assert loaded["none"].shape == (0, 2)


def test_records_and_nested_objects_in_joblib_arrays(tmp_path: Path) -> None:
    model = [
        np.array([(1, 2.0, b"a")], dtype=[("a", "i4"), ("b", ">f8"), ("c", "S3")]),
        np.array([((1,), 2)], dtype=[("a", [("b", "u1")]), ("c", "i8")]),
        np.array([{"k": np.arange(3)}, None], dtype=object),
    ]
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    assert audit_file(path).findings == ()
    loaded = load_stream(path)
    assert loaded[0].tolist() == model[0].tolist()
    assert loaded[1].dtype == model[1].dtype
    assert loaded[2][0]["k"].tolist() == [0, 1, 2]


def wrapper(**changed: bytes) -> bytes:
    state = {
        "subclass": name("numpy.ndarray"), "shape": pack(number(2)), "order": text("C"),
        "dtype": dtype("f8"), "numpy_array_alignment_bytes": number(16), **changed,
    }  # fmt: skip
    pairs = [part for key, value in state.items() for part in (text(key), value)]
    return made("joblib.numpy_pickle.NumpyArrayWrapper", *pairs)


BAD_WRAPPERS = {
    "a shape of text": {"shape": text("a")},
    "a negative shape": {"shape": pack(number(-1))},
    "an alignment of text": {"numpy_array_alignment_bytes": text("a")},
    "no data type": {"dtype": text("f8")},
    "a data type without a size": {"dtype": dtype("U")},
    "a data type of a long": {"dtype": dtype("l")},
    "a class with methods": {"subclass": name("numpy.memmap")},
}


@pytest.mark.parametrize("case", BAD_WRAPPERS)
def test_arrays_that_say_something_odd_are_refused(case: str, tmp_path: Path) -> None:
    content = stream(wrapper(**BAD_WRAPPERS[case]))[:-1] + b"\x00" + bytes(16) + STOP
    assert not audit(tmp_path, content).ok


def structured(size: int, flags: int, *fields: bytes) -> bytes:
    state = pack(
        number(3), text("|"), b"N", pack(text("a")), b"}" + b"".join(fields), number(size),
        number(1), number(flags),
    )  # fmt: skip
    return dtype(f"V{size}") + state + b"b"


@pytest.mark.parametrize(
    "kind",
    [
        structured(8, 0, text("a") + pack(dtype("O8"), number(0)) + b"s"),
        structured(8, 1, text("a") + pack(dtype("f8"), number(0)) + b"s"),
        structured(8, 0, text("a") + pack(dtype("f8"), number(4)) + b"s"),
        structured(8, 0, text("a") + pack(dtype("f8")) + b"s"),
    ],
)
def test_structured_types_that_would_misread_memory_are_refused(
    kind: bytes, tmp_path: Path
) -> None:
    assert not audit(tmp_path, stream(wrapper(dtype=kind))).ok


def test_array_bytes_that_are_a_program_to_plain_readers_are_refused(tmp_path: Path) -> None:
    program = b"cposix\nsystem\n(S'true'\ntR."
    content = stream(wrapper(shape=pack(number(4)), numpy_array_alignment_bytes=b"N"))[:-1]
    report = audit(tmp_path, content + program.ljust(32, b".") + STOP)
    assert [finding.global_ for finding in report.findings] == ["posix.system"]
    assert "plain pickle" in report.findings[0].why


def test_an_array_inside_a_frame_is_refused(tmp_path: Path) -> None:
    inside = wrapper() + b"\x00" + bytes(16)
    framed = b"\x80\x04\x95" + (len(inside) + 1).to_bytes(8, "little") + inside + STOP
    report = audit(tmp_path, framed)
    assert "inside a frame" in report.findings[0].why


def test_numpy_files_hold_pickles_only_in_object_arrays(tmp_path: Path) -> None:
    for array, ok in ((np.eye(2), True), (np.array([1, None], dtype=object), True)):
        np.save(tmp_path / "a.npy", array, allow_pickle=True)
        assert audit_file(tmp_path / "a.npy").ok is ok
    np.savez(tmp_path / "a.npz", a=np.eye(2), b=np.array(["a", None], dtype=object))
    assert audit_file(tmp_path / "a.npz").format == "npz"
    header = (tmp_path / "a.npy").read_bytes()[:128]
    assert not audit(tmp_path, header + PAYLOAD).ok
    assert not audit(tmp_path, zipped({"a.npy": header + PAYLOAD})).ok
    assert not audit(tmp_path, zipped({"a.npy": PAYLOAD})).ok
    assert not audit(tmp_path, b"\x93NUMPY\x01\x00\x04\x00{[}]" + PAYLOAD).ok


def damaged(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def test_zips_that_readers_disagree_about_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.eye(2))
    good = (tmp_path / "a.npz").read_bytes()
    directory = good.rindex(b"PK\x01\x02")
    ending = good.rindex(b"PK\x05\x06")
    cases = {
        "a prefix": b"PK\x03\x04" + good,
        "something after it": good + b"more",
        "a comment": damaged(good, ending + 20, b"\x04\x00") + b"more",
        "an encrypted flag": damaged(damaged(good, 6, b"\x01\x00"), directory + 8, b"\x01\x00"),
        "a flag in one place": damaged(good, 6, b"\x01\x00"),
        "another method": damaged(damaged(good, 8, b"\x63\x00"), directory + 10, b"\x63\x00"),
        "another name": damaged(good, 30, b"b"),
        "another size": damaged(damaged(good, 18, b"\x01\x00\x00\x00"), 22, b"\x01\x00\x00\x00"),
        "no directory": good[:directory],
    }
    assert audit_file(tmp_path / "a.npz").ok
    for case, content in cases.items():
        report = audit(tmp_path, content)
        assert not report.ok, case
        assert "not supported" in report.findings[-1].why, (case, report.findings)


def test_every_member_of_an_unknown_zip_is_looked_into(tmp_path: Path) -> None:
    for member in ("archive/data.pkl", "archive/version", "x", "archive/data/0"):
        report = audit(tmp_path, zipped({"archive/data.pkl": HONEST, member: PAYLOAD}))
        assert "posix.system" in {finding.global_ for finding in report.findings}
    report = audit(tmp_path, zipped({"archive/data.pkl": b"no pickle"}))
    assert not report.ok
    bomb = zipped({"archive/data/0": bytes(200 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert "bomb" in audit(tmp_path, bomb).findings[-1].why


@pytest.mark.parametrize(
    ("content", "container"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(80), "HDF5"), (b"\x28\xb5\x2f\xfd" + bytes(80), "zstd"),
        (b"ZF0x10" + bytes(80), "joblib before 0.10"), (b"7z\xbc\xaf\x27\x1c" + bytes(80), "7z"),
        (bytes(257) + b"ustar" + bytes(250), "tar"),
    ],
)  # fmt: skip
def test_a_container_that_is_not_read_is_named(
    content: bytes, container: str, tmp_path: Path
) -> None:
    report = audit(tmp_path, content)
    assert report.format == container
    assert f"the container {container} is not supported" in report.findings[0].why


@pytest.mark.parametrize(
    "content",
    [
        b"", b"hello, this is text\n", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"class Model:\n    import os\n", b'{"a": 1}', b"\x7fELF" + bytes(60), b"def f():\n  pass\n",
        b"%PDF-1.7", b"\xff\xd8\xff\xe0" + bytes(20), bytes(100), b"# comment\nimport os\n",
    ],
)  # fmt: skip
def test_what_is_no_model_at_all_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidModel) as caught:
        audit(tmp_path, content)
    assert caught.value.code == "invalid_model"


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel):
        audit_file(tmp_path)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    for end in (2, 3, 20, len(HONEST) - 1):
        assert not audit(tmp_path, HONEST[:end]).ok


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"tree\nversion=v4\nnum_class=1\n", "lightgbm"), (b"CBM1\x98\x2b\x00\x00", "catboost"),
        (b'{"learner":{"attributes":{}}}', "xgboost"),
        (b'{"version":[2,1,1],"learner":{}}', "xgboost"),
        (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", "xgboost"),
        (b"\x08\x0a\x12\x07skl2onnx", "onnx"),
    ],
)  # fmt: skip
def test_formats_without_code_are_known_by_their_content(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    report = audit(tmp_path, content)
    assert report.ok
    assert report.format == expected


def test_a_format_without_code_that_is_a_program_to_pickle_is_refused(tmp_path: Path) -> None:
    # 'C' pushes 0x42 bytes, so that a plain reader goes on behind what looks like a model.
    content = b"CBM1" + bytes(0x40) + b"cposix\nsystem\n(S'true'\ntR."
    assert "posix.system" in {f.global_ for f in audit(tmp_path, content).findings}


def skops_file(schema: dict[str, Any], **members: bytes) -> bytes:
    return zipped({"schema.json": json.dumps(schema).encode(), **members})


def node(loader: str, dotted: str, **fields: Any) -> dict[str, Any]:
    module, _, last = dotted.rpartition(".")
    return {"__class__": last, "__module__": module, "__loader__": loader, **fields}


ESTIMATOR = "sklearn.linear_model._base.LinearRegression"
VALUE = node("JsonNode", "builtins.str", content='"1.7.2"')
KEYS = node("ListNode", "builtins.list", content=[node("TypeNode", "builtins.str")])


def table(**content: Any) -> dict[str, Any]:
    return node("DictNode", "builtins.dict", content=content, key_types=KEYS)


def test_skops_files_are_judged_by_their_names(tmp_path: Path) -> None:
    honest = node("ObjectNode", ESTIMATOR, content=table(_sklearn_version=VALUE))
    report = audit(tmp_path, skops_file(honest))
    assert report.ok
    assert report.format == "skops"
    assert report.root == ESTIMATOR
    assert report.library_versions == {"scikit-learn": "1.7.2"}


HOSTILE_NODES = {
    "a function": node("FunctionNode", "os.system"),
    "a function under another name": node(
        "FunctionNode", "numpy.log1p", content={"module_path": "os", "function": "system"}
    ),
    "a method": node("MethodNode", ESTIMATOR, content={"func": "predict", "obj": VALUE}),
    "an operator": node("OperatorFuncNode", "operator.methodcaller", attrs=table()),
    "a type": node("TypeNode", "subprocess.Popen"),
    "an object": node("ObjectNode", "threading.Thread", content=table()),
    "a constructor": node("ConstructorFromReduceNode", "os.system", content=VALUE),
    "a list of another class": node("ListNode", "subprocess.Popen", content=[]),
    "a dictionary of another class": node(
        "DictNode", "os._Environ", content={}, key_types=KEYS
    ),
    "a partial function": node(
        "PartialNode", "functools.partial", content={"func": node("FunctionNode", "numpy.exp")}
    ),
    "a partial function of a value": node("PartialNode", "functools.partial", content={}),
    "a special attribute": node("ObjectNode", ESTIMATOR, content=table(__setstate__=VALUE)),
    "a bit generator": node(
        "RandomGeneratorNode", "numpy.random._generator.Generator",
        content={"bit_generator": table(bit_generator=node("JsonNode", "builtins.str", content='"os"'))},
    ),
    "a bit generator without a name": node(
        "RandomGeneratorNode", "numpy.random._generator.Generator", content={}
    ),
    "a missing member": node("NdArrayNode", "numpy.ndarray", type="numpy", file="1.npy"),
    "a node that is none": node("ListNode", "builtins.list", content=[1]),
    "a reduced constructor": node(
        "TreeNode", "os.system", __reduce__={"args": VALUE}, content=table()
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE_NODES)
def test_hostile_skops_nodes_are_refused(case: str, tmp_path: Path) -> None:
    hidden = node("ObjectNode", ESTIMATOR, content=table(a=HOSTILE_NODES[case]))
    assert not audit(tmp_path, skops_file(hidden)).ok


def test_a_skops_schema_that_is_none_is_refused(tmp_path: Path) -> None:
    deep: dict[str, Any] = VALUE
    for _ in range(300):
        deep = node("ListNode", "builtins.list", content=[deep])
    assert not audit(tmp_path, skops_file(deep)).ok
    assert not audit(tmp_path, zipped({"schema.json": b"[" * 100_000})).ok
    assert not audit(tmp_path, zipped({"schema.json": b"no JSON"})).ok


def test_unread_bytes_after_a_pickle_are_a_finding(tmp_path: Path) -> None:
    report = audit(tmp_path, HONEST + PAYLOAD)
    assert {finding.global_ for finding in report.findings} == {"", "posix.system"}
    assert not audit(tmp_path, HONEST + b"\n").ok
    assert not audit(tmp_path, HONEST * 3).ok


def test_long_values_are_passed_over(tmp_path: Path) -> None:
    values = [
        "x" * 10_000, b"y" * 10_000, bytearray(b"z" * 10_000), 1 << 9000, "ä" * 70_000, -(1 << 70),
    ]  # fmt: skip
    for protocol in range(6):
        content = pickle.dumps(values, protocol)
        assert audit(tmp_path, content).ok, protocol
        if protocol:  # in protocol 0 an integer of that size is longer than Python reads
            assert load_stream(tmp_path / "model.bin") == values
    assert audit(tmp_path, stream(raw(b"a" * 300))).ok
