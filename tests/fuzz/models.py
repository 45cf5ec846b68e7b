"""Readers of model files."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import warnings
import zipfile
from collections import OrderedDict, defaultdict, deque
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fuzz.mutations import mutated
from samovar.core.allowlist import Policy
from samovar.core.compression import compression_of, decompressed, limit_for
from samovar.model.audit import audit_file
from samovar.model.findings import Log
from samovar.model.source import Source
from samovar.model.streams import read_streams
from samovar.runtime.loading import load_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).resolve().parents[1] / "data"
SEED_BYTES = 20_000
"""Larger files are left out: a mutation would hardly ever fall where it matters."""


@contextmanager
def file_of(content: bytes) -> Iterator[Path]:
    """Give a file with some bytes."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def read_stream(content: bytes) -> None:
    for plain in (False, True):
        source = Source(io.BufferedReader(io.BytesIO(content)), len(content))  # type: ignore[arg-type] # BytesIO is raw enough
        log = Log()
        try:
            read_streams(source, Policy(), log, plain=plain)
        finally:
            json.dumps([finding.to_json() for finding in log.findings()])


def read_model(content: bytes) -> None:
    with file_of(content) as path:
        report = audit_file(path)
    assert report.ok == (report.findings == ())
    json.dumps(report.to_json()).encode()


def load(content: bytes) -> None:
    """Load what the audit accepts, as a model's environment does: it may fail, and not crash.

    Bytes that are no pickle say how one of the honest ones is changed.
    """
    if content[:1] != b"\x80":
        seeds = honest()
        content = mutated(seeds[sum(content[:2]) % len(seeds)], content)
    with file_of(content) as path, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if audit_file(path).ok:
            # What constructors of libraries raise on nonsense; load_model makes one error of it.
            with suppress(Exception):
                look_at(load_stream(path))


def look_at(value: object) -> None:
    """Read what was loaded: a wrong pointer is harmless until somebody follows it."""
    # The libraries say in many ways that what they were told makes no sense.
    with suppress(Exception):
        repr(value)
    with suppress(Exception):
        np.asarray(value).tolist()


def read_compressed(content: bytes) -> None:
    kind = compression_of(content)
    if kind is not None:
        stream = decompressed(io.BytesIO(content), kind, limit_for(len(content)))
        while stream.read(1 << 16):
            pass


def read_members(content: bytes) -> None:
    """Read a zip that is laid out well, whose members say what the bytes say."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in ("schema.json",) if content[:1] == b"{" else ("a/data.pkl", "a/data/0"):
            archive.writestr(name, content)
    read_model(written.getvalue())
    if content.startswith(b"\x93NUMPY"):
        with zipfile.ZipFile(written := io.BytesIO(), "w") as archive:
            archive.writestr("arr_0.npy", content)
        read_model(written.getvalue())


def models(*endings: str) -> Iterator[bytes]:
    for folder in ("malicious", "benign"):
        for path in sorted((DATA / "audit" / folder).iterdir()):
            if path.suffix in endings and path.stat().st_size <= SEED_BYTES:
                yield path.read_bytes()


def pickles() -> Iterator[bytes]:
    return models(".pkl", ".joblib")


def to_load() -> Iterator[bytes]:
    yield from honest()
    yield from (number.to_bytes(4, "big") for number in range(300))


@cache
def honest() -> tuple[bytes, ...]:
    """Give small pickles of what models are made of."""
    structured = np.array([(1, b"a", "b")], dtype=[("x", "i4"), ("y", "S3"), ("z", "U2")])
    values = [
        np.arange(3.0), structured, np.array(["a", None], dtype=object), np.float32(1.5),
        np.datetime64("2020-01-01"), np.ma.masked_array([1, 2], [True, False]), np.log1p,
        np.random.RandomState(1), np.random.default_rng(1), slice(1, None), {1: (2.5, "a")},
        pd.Index(["a", "b"]), pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), pd.Timestamp(0),
        pd.CategoricalDtype(["a"]), pd.Categorical(["a", "b"]), pd.MultiIndex.from_tuples([(1, 2)]),
        pd.array([1, None], dtype="Int64"), OrderedDict(a=1), defaultdict(int, a=1), deque([1]),
    ]  # fmt: skip
    return tuple(pickle.dumps(value, protocol) for value in values for protocol in (2, 5))


def all_models() -> Iterator[bytes]:
    return models(".pkl", ".joblib", ".dat", ".model", ".gz", ".pt", ".bin", ".npz", ".npy")


def inner_members() -> Iterator[bytes]:
    yield from pickles()
    for content in all_models():
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    try:
                        yield archive.read(name)
                    except (RuntimeError, zipfile.BadZipFile):
                        continue
    node = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode"}
    leaf = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": '"a"',
    }
    node["content"] = {"a": leaf}  # type: ignore[assignment] # a tree
    node["key_types"] = dict(leaf, __loader__="ListNode", content=[])  # type: ignore[assignment] # a tree
    yield json.dumps(node).encode()
