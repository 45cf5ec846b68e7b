"""Engines and whole blocks in a receipt."""

from __future__ import annotations

import pytest

from samovar.core.receipt import Policy, ProvenEngine, Receipt
from samovar.errors import Damaged


def test_engines_and_blocks_round_trip() -> None:
    engine = ProvenEngine(name="trees", proof="identical", rows_to=64)
    receipt = Receipt(
        method="predict", rows=((1,),), outputs=(), batching="identical",
        policy=Policy(relative_difference=0.0), numerics="native", rows_multiple=16,
        engines=(engine, ProvenEngine(name="linear", proof="identical")),
    )  # fmt: skip
    assert Receipt.from_json(receipt.to_json()) == receipt
    assert receipt.to_json()["engines"][1] == {
        "name": "linear", "proof": "identical", "rows_from": 1, "rows_to": None,
    }  # fmt: skip


def test_an_engine_that_is_none_is_named() -> None:
    with pytest.raises(Damaged, match="engine"):
        ProvenEngine.from_json({"name": "trees"})
