from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from samovar.core.bundle import BundleDocument, BundleModel
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.origin import Imported, Training, read_origin
from samovar.core.receipt import Policy, Receipt, TrainedOn
from samovar.core.run import GitState, RunFile, RunRecord
from samovar.core.signature import Signature
from samovar.errors import Damaged

DATA = RunFile(
    path="data/train.csv", digest=Digest.of(b"12"), size_bytes=2,
    chunks=(Digest.of(b"1"), Digest.of(b"2")),
)  # fmt: skip
RECORD = RunRecord(
    project="titanic",
    command="python train.py",
    python="3.11.9",
    lock=None,
    packages={"numpy": "1.26.4"},
    code=(RunFile(path="train.py", digest=Digest.of(b"x"), size_bytes=1),),
    data=(DATA,),
    params={"model": {"depth": 3}},
    machine={"cpu": "x", "threads": 2, "kernel": "6.1"},
    metrics={"accuracy": 0.8, "loss": None},
    noise={"accuracy": 0.0},
    repeatable=True,
    git=GitState(commit="0" * 40, dirty=True, diff=Digest.of(b"diff")),
    started="2026-01-31T12:00:00Z",
    seconds=1.5,
)
TRAINING = Training.of(RECORD, run=Digest.of(b"run"), name="first")
IMPORTED = Imported(tool="mlflow", facts={"run_id": "1"})
DOCUMENT = BundleDocument(
    name="titanic",
    version="1",
    python="3.11",
    model=BundleModel(path="m.pkl", format="pickle", method="predict"),
    signature=Signature(container="array", inputs=(), outputs=()),
    app=None,
    message="",
    files=(),
)


def test_an_origin_has_what_moves_a_result_and_no_pieces_of_files() -> None:
    assert TRAINING.machine == {"cpu": "x", "threads": 2}
    assert TRAINING.data[0].chunks == ()
    assert TRAINING.data[0].digest == DATA.digest
    trained_on = TrainedOn(run=Digest.of(b"run"), data=(("data/train.csv", DATA.digest),))
    assert TRAINING.trained_on() == trained_on


@pytest.mark.parametrize(
    "origin", [TRAINING, Training.of(RunRecord(project="t", command="c", python="3.11", lock=None,
                                               packages={}, code=()), run=Digest.of(b""), name="n"),
               IMPORTED]
)  # fmt: skip
def test_an_origin_survives_being_stored(origin: Training | Imported) -> None:
    canonical_json(origin.to_json())
    assert read_origin(origin.to_json()) == origin


def test_a_document_keeps_its_factory_and_has_none_otherwise() -> None:
    made = BundleModel(path="maker.py", format="python", method="predict", factory="maker:make")
    with_factory = replace(DOCUMENT, model=made)
    assert BundleDocument.from_json(with_factory.to_json()) == with_factory
    assert "factory" not in DOCUMENT.to_json()["model"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"kind": "found"},
        {"kind": "import", "tool": "mlflow", "facts": 3},
        {**TRAINING.to_json(), "run": "sha256:1"},
        {**TRAINING.to_json(), "data": [{"path": "../x"}]},
        {**TRAINING.to_json(), "seconds": "long"},
    ],
)
def test_what_is_no_origin_is_damaged(document: Any) -> None:
    with pytest.raises(Damaged):
        read_origin(document)


def test_a_document_without_an_origin_reads_as_before() -> None:
    from dataclasses import replace

    assert "origin" not in DOCUMENT.to_json()
    assert BundleDocument.from_json(DOCUMENT.to_json()) == DOCUMENT
    with_origin = replace(DOCUMENT, origin=TRAINING)
    assert BundleDocument.from_json(with_origin.to_json()) == with_origin


def test_a_receipt_names_what_the_model_was_trained_on() -> None:
    receipt = Receipt(
        method="predict", rows=(), outputs=(), batching="identical",
        policy=Policy(relative_difference=0.0), numerics="native",
        trained_on=TRAINING.trained_on(),
    )  # fmt: skip
    assert Receipt.from_json(receipt.to_json()) == receipt
    with pytest.raises(Damaged):
        Receipt.from_json({**receipt.to_json(), "trained_on": {"run": "x", "data": []}})
