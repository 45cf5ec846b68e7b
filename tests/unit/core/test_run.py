from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.run import FAILED, GitState, RunFile, RunRecord, flatten
from samovar.errors import Damaged


def file(path: str, content: bytes = b"x", **more: Any) -> RunFile:
    return RunFile(path=path, digest=Digest.of(content), size_bytes=len(content), **more)


FULL = RunRecord(
    project="titanic",
    command="python train.py",
    python="3.11.9",
    lock=Digest.of(b"lock"),
    packages={"numpy": "1.26.4"},
    code=(file("train.py"),),
    data=(file("data/train.csv", chunks=(Digest.of(b"1"), Digest.of(b"2"))),),
    params={"model": {"depth": 3}, "seed": 0},
    params_path="params.json",
    params_env="PARAMS",
    metrics_path="out.json",
    predictions_path="preds.npy",
    env={"TZ": "UTC", "PYTHONHASHSEED": None},
    machine={"threads": 2, "cpu": "x"},
    numerics="x86-64-v3",
    git=GitState(commit="0" * 40, dirty=True, diff=Digest.of(b"diff")),
    metrics={"accuracy": 0.8, "loss": None, "n": 3},
    predictions=file("preds.npy"),
    outputs=(file("models/model.pkl"),),
    stdout=Digest.of(b"out"),
    stderr=Digest.of(b""),
    started="2026-01-31T12:00:00Z",
    seconds=1.5,
    peak_memory_bytes=1024,
    repeatable=True,
    noise={"accuracy": 0.0},
    warnings=("reads data/extra.csv, which is not in [train].data",),
)
BARE = RunRecord(
    project="titanic", command="python train.py", python="3.11.9", lock=None, packages={}, code=()
)


@pytest.mark.parametrize(
    "record",
    [
        FULL,
        BARE,
        replace(BARE, status=FAILED),
        replace(BARE, git=GitState(commit="1", dirty=False)),
    ],
)
def test_a_record_survives_being_stored(record: RunRecord) -> None:
    assert RunRecord.from_json(record.to_json()) == record
    assert canonical_json(RunRecord.from_json(record.to_json()).to_json()) == canonical_json(
        record.to_json()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"run": 2},
        {"status": "running"},
        {"code": [{"path": "train.py"}]},
        {"code": 3},
        {"lock": "sha256:abc"},
        {"git": {"dirty": True}},
        {"metrics": [1, 2, 3]},
        {"params_path": "/etc/motd"},
        {"metrics_path": "C:/out.json"},
        {"predictions_path": 3},
        {"outputs": [{**file("x").to_json(), "path": "a/../../b"}]},
        {"data": [{**file("x").to_json(), "path": ""}]},
        {"code": [{**file("x").to_json(), "path": "..\\x"}]},
        {"code": [{**file("x").to_json(), "path": "a\0b"}]},
    ],
)
def test_a_malformed_record_is_damaged(change: dict[str, Any]) -> None:
    with pytest.raises(Damaged):
        RunRecord.from_json({**FULL.to_json(), **change})


def test_a_record_names_all_that_it_is_made_of() -> None:
    contents = (b"x", b"1", b"2", b"lock", b"diff", b"out", b"")
    assert set(FULL.blobs()) == set(map(Digest.of, contents))
    assert list(BARE.blobs()) == []


@pytest.mark.parametrize("document", [None, [], "run", {"run": 1, "status": "finished"}])
def test_what_is_no_record_is_damaged(document: Any) -> None:
    with pytest.raises(Damaged):
        RunRecord.from_json(document)


def test_parameters_are_named_by_dotted_paths_and_lists_are_whole() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": [1, {"e": 2}]}, "f": {}}) == {
        "a.b.c": 1,
        "a.d": [1, {"e": 2}],
        "f": {},
    }
