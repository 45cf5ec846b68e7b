"""The symbolic reader sees what CPython's own unpickler would do."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samovar.core.allowlist import Global, Policy
from samovar.errors import InvalidModel
from samovar.model.audit import audit_file
from samovar.model.findings import Log
from samovar.model.opcodes import ACTS
from samovar.model.pickle_reader import PickleReader
from samovar.model.source import Source
from streams import ESTIMATOR, call, name, pack, text

DATA = Path(__file__).resolve().parents[1] / "data" / "audit" / "benign"
HONEST = [
    (DATA / case["file"]).read_bytes()
    for case in json.loads((DATA / "manifest.json").read_text(encoding="utf-8"))
    if case["format"].startswith("pkl")
]

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
    | st.binary(max_size=20)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
        | st.sets(st.integers(), max_size=4) | st.frozensets(st.text(max_size=3), max_size=4)
    ),
    max_leaves=20,
)  # fmt: skip

# Opcodes with an argument that fits, and pieces of programs.
PIECES = st.sampled_from(
    [
        b"(", b"0", b"1", b"2", b")", b"]", b"}", b"\x8f", b"N", b"\x88", b"\x89", b"l", b"d", b"t",
        b"a", b"e", b"s", b"u", b"\x85", b"\x86", b"\x87", b"\x90", b"\x91", b"\x94", b"R", b"\x81",
        b"\x92", b"\x93", b"b", b"o", b"K\x01", b"M\x01\x01", b"J\x01\x00\x00\x00", b"I1\n",
        b"I01\n", b"L5L\n", b"F1.5\n", b"G?\xf0\x00\x00\x00\x00\x00\x00", b"\x8a\x01\x05",
        b"Vab\n", b"S'ab'\n", b"U\x01a", b"\x8c\x01a", b"C\x01a", b"h\x00", b"h\x01", b"q\x00",
        b"q\x01", b"p0\n", b"g0\n", b"p5\n", b"r\x07\x00\x00\x00", b"j\x07\x00\x00\x00",
        b"\x80\x02", b"cos\nsystem\n", b"cbuiltins\nlist\n", b"(ios\nsystem\n", text("os"),
        text("system"), text("builtins"), text("set"), name("posix.system"), name("numpy.log1p"),
        name("builtins.eval"), call("posix.system", text("true")), name(ESTIMATOR), pack(text("a")),
        b"\x82\x01", b"Pa\n", b"Q", b"\x97", b"\x98",
    ]
)  # fmt: skip
PROGRAMS = st.lists(PIECES, max_size=24).map(b"".join)


class Inert:
    """Stands for any class or function, takes everything, and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        return object.__new__(cls)

    def __call__(self, *_: Any, **__: Any) -> Inert:
        return self

    def __setstate__(self, _: Any) -> None:
        """Take a state."""

    def append(self, _: Any) -> None:
        """Take an item."""

    extend = add = update = append

    def __setitem__(self, _: Any, __: Any) -> None:
        """Take an item."""


class Recorder(pickle.Unpickler):
    """CPython's unpickler, which notes what it is asked for and hands out inert things."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.asked: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.asked.add(str(Global.of_stream(module, name)))
        return type("Stub", (Inert,), {})

    def persistent_load(self, _: Any) -> Any:
        return Inert()


def read(content: bytes) -> tuple[Log, PickleReader, bool]:
    log = Log()
    source = Source(io.BufferedReader(io.BytesIO(content)), len(content))  # type: ignore[arg-type] # BytesIO is raw enough
    reader = PickleReader(source, Policy(), log)
    try:
        reader.run()
    except InvalidModel:
        return log, reader, False
    return log, reader, True


def asked_of_cpython(content: bytes) -> tuple[set[str], bool]:
    recorder = Recorder(content)
    try:
        recorder.load()
    except Exception:  # noqa: BLE001  whatever goes wrong: what it asked for before is what counts
        return recorder.asked, False
    return recorder.asked, True


def test_every_opcode_of_every_protocol_is_known() -> None:
    documented = {opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
    assert set(ACTS) | {b"."} == documented


@given(VALUES, st.integers(0, 5), st.booleans())
def test_plain_values_have_no_findings_and_each_opcode_is_followed(
    value: Any, protocol: int, in_python: bool
) -> None:
    dumps = pickle._dumps if in_python else pickle.dumps  # type: ignore[attr-defined] # the other pickler
    content = dumps(value, protocol)
    for stream in (content, pickletools.optimize(content)):
        log, reader, whole = read(stream)
        assert whole
        assert [f for f in log.findings() if f.global_ not in {"builtins.set"}] == []
        assert reader.acts == sum(1 for _ in pickletools.genops(stream)) - 1
        assert reader.log.protocol == (protocol if protocol > 1 else 0)


@pytest.mark.parametrize(
    "content",
    [
        b"c_codecs\nencode\n(Vb\n]tR.",
        b"cbuiltins\nbytes\n(Vb\n]tR.",
        b"cnumpy\ndtype\n(Vi8\nI00\nI01\ntR(}V<\nNNNI-1\nI-1\nI0\ntb.",
        b"cnumpy\ndtype\n(Vi8\nI00\nI01\ntR(I3\n]NNNI-1\nI-1\nI0\ntb.",
        b"cnumpy\ndtype\n(Vi8\nI00\nI01\ntR(I9\nV<\nNNNI-1\nI-1\nI0\ntb.",
    ],
)
def test_what_cannot_be_hashed_is_refused_like_all_else(content: bytes) -> None:
    log, _, _ = read(content)
    assert log.findings()


@given(PROGRAMS)
@settings(max_examples=400)
def test_whatever_cpython_would_look_up_is_seen(program: bytes) -> None:
    content = program + b"."
    log, _, whole = read(content)
    asked, loaded = asked_of_cpython(content)
    assert asked <= set(log.globals())
    if loaded:
        assert whole or log.findings()
    strangers = {name for name in asked if Policy().knows(name) is False}
    assert strangers <= {finding.global_ for finding in log.findings()} | {"builtins.list"}


@given(st.sampled_from(HONEST), st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_a_mutated_model_would_look_up_is_seen(honest: bytes, data: Any) -> None:
    at = data.draw(st.integers(0, len(honest) - 1))
    gone = data.draw(st.integers(0, 3))
    put = data.draw(PROGRAMS | st.binary(max_size=4))
    content = honest[:at] + put + honest[at + gone :]
    log, _, whole = read(content)
    asked, loaded = asked_of_cpython(content)
    if whole and not log.findings():
        assert {name for name in asked if not Policy().knows(name)} == set()
        assert asked <= set(log.globals())
    # What is not read to its end is refused: an index of the memo that would take a gigabyte, say.
    if loaded and whole:
        assert asked <= set(log.globals())


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_no_bytes_make_the_audit_fail(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "model"
    for prefix in (b"", b"\x80\x04", b"PK\x03\x04", b"\x78\x9c", b"\x93NUMPY\x01\x00", b"BZh9"):
        path.write_bytes(prefix + content)
        try:
            report = audit_file(path)
        except InvalidModel:
            continue
        assert report.ok == (report.findings == ())
