"""Batches without a timer: who goes together, who is turned away, who pays for a failure."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from samovar.core.signature import Column, Signature
from samovar.errors import SamovarError, Unavailable
from samovar.runtime.batcher import Batcher
from samovar.runtime.codec import Codec
from samovar.runtime.limits import Limits
from samovar.runtime.metrics import SharedCounts
from samovar.runtime.predictor import Predictor


class Loop:
    """A loop that turns when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, ...]] = []

    def call_soon(self, function: Any, *arguments: Any) -> None:
        self.waiting.append((function, *arguments))

    call_soon_threadsafe = call_soon

    def time(self) -> float:
        return time.perf_counter()

    def turn(self) -> None:
        due, self.waiting = self.waiting, []
        for function, *arguments in due:
            function(*arguments)


class Request:
    def __init__(self, *values: float) -> None:
        self.rows = [(value,) for value in values]


class Doubling:
    """Doubles numbers, refuses negative ones, and remembers how many rows each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, rows: Any) -> Any:
        self.calls.append(len(rows))
        if (rows < 0).any():
            raise ValueError("negative")
        return rows[:, 0] * 2


class Scene:
    def __init__(self, *, max_queue: int = 100, merges: bool = True, executor: Any = None) -> None:
        self.loop, self.model = Loop(), Doubling()
        signature = Signature(
            container="array", inputs=(Column(name="x", dtype="float64"),), outputs=()
        )
        predictor = Predictor(self.model, "predict", Codec(signature), is_batching=True)
        self.answers: dict[Any, Any] = {}
        self.batcher = Batcher(
            self.loop,
            predictor,
            Limits(max_queue=max_queue, max_batch_rows=4),
            SharedCounts(1).of_worker(0),
            deliver=self.deliver,
            merges=merges,
            executor=executor,
        )

    def deliver(self, batch: Any, outcome: Any) -> None:
        if isinstance(outcome, list):
            for request, single in zip(batch, outcome, strict=True):
                assert request not in self.answers
                self.answers[request] = (
                    single if isinstance(single, SamovarError) else single[0].values.tolist()
                )
            return
        values, start = outcome[0].values, 0
        for request in batch:
            assert request not in self.answers
            self.answers[request] = values[start : start + len(request.rows)].tolist()
            start += len(request.rows)
        assert start == len(values)


def test_what_arrives_in_one_turn_is_one_call() -> None:
    scene = Scene()
    requests = [Request(1), Request(2, 3), Request(4)]
    for request in requests:
        scene.batcher.submit(request)  # type: ignore[arg-type] # has what the batcher looks at
    scene.loop.turn()
    assert scene.model.calls == [4]
    assert [scene.answers[request] for request in requests] == [[2], [4, 6], [8]]


def test_a_call_has_no_more_rows_than_allowed_but_a_large_request_goes_alone() -> None:
    scene = Scene()
    for request in (Request(1, 2, 3), Request(4, 5), Request(*range(9)), Request(1)):
        scene.batcher.submit(request)  # type: ignore[arg-type] # see above
    while scene.loop.waiting:
        scene.loop.turn()
    assert scene.model.calls == [3, 2, 9, 1]
    assert len(scene.answers) == 4


def test_requests_are_not_merged_where_that_was_not_earned() -> None:
    scene = Scene(merges=False)
    for request in (Request(1, 2), Request(3)):
        scene.batcher.submit(request)  # type: ignore[arg-type] # see above
    while scene.loop.waiting:
        scene.loop.turn()
    assert scene.model.calls == [2, 1]


def test_a_failing_row_harms_no_batch_mate_and_is_named() -> None:
    scene = Scene()
    good, bad, other = Request(1), Request(2, -1), Request(3)
    for request in (good, bad, other):
        scene.batcher.submit(request)  # type: ignore[arg-type] # see above
    scene.loop.turn()
    assert scene.answers[good] == [2]
    assert scene.answers[other] == [6]
    assert scene.answers[bad].code == "model_refused"
    assert "row 1" in str(scene.answers[bad])
    assert "negative" in str(scene.answers[bad])


def test_a_full_queue_turns_away_and_recovers() -> None:
    scene = Scene(max_queue=2)
    for _ in range(2):
        scene.batcher.submit(Request(1))  # type: ignore[arg-type] # see above
    assert scene.batcher.is_full
    with pytest.raises(Unavailable):
        scene.batcher.submit(Request(1))  # type: ignore[arg-type] # see above
    scene.loop.turn()
    assert not scene.batcher.is_full
    assert len(scene.answers) == 2


def test_a_dear_model_is_called_in_a_thread_and_batches_grow_meanwhile() -> None:
    with ThreadPoolExecutor(1) as executor:
        scene = Scene(executor=executor)
        scene.batcher.submit(Request(1))  # type: ignore[arg-type] # see above
        scene.loop.turn()
        for value in (2, 3):
            scene.batcher.submit(Request(value))  # type: ignore[arg-type] # see above
        until = time.monotonic() + 10
        while len(scene.answers) < 3 and time.monotonic() < until:
            scene.loop.turn()
    assert scene.model.calls == [1, 2]
    assert sorted(scene.answers.values()) == [[2], [4], [6]]


def test_whole_blocks_are_called_and_the_surplus_is_dropped() -> None:
    model = Doubling()
    signature = Signature(
        container="array", inputs=(Column(name="x", dtype="float64"),), outputs=()
    )
    predictor = Predictor(model, "predict", Codec(signature), is_batching=True, rows_multiple=16)
    for count in (1, 16, 17):
        rows = [(float(i),) for i in range(count)]
        (answer,) = predictor(rows)
        assert answer.values.tolist() == [2.0 * i for i in range(count)]
    (answer,) = predictor(np.ones((3, 1)))
    assert answer.values.tolist() == [2.0] * 3
    assert model.calls == [16, 16, 32, 16]
