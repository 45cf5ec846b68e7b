"""A bundle's model, loaded and ready to be asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.codec import Codec
from samovar.runtime.engines import find_engine, same_bits
from samovar.runtime.opening import load, receipt_of, signature_of
from samovar.runtime.predictor import Predictor, class_name

if TYPE_CHECKING:
    from samovar.core.receipt import Receipt
    from samovar.core.signature import Signature
    from samovar.runtime.job import Job

_ROUNDS: Final = 3
_ENGINE_SIZES: Final = (1, 16, 64, 256, 1024, 4096)
_BATCH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a service needs to know.

    Parameters
    ----------
    name, version, digest : str
        Of the bundle; the name without tag.
    message : str
        What ``GET /`` answers.
    platform : str
        The model's class, for the protocols' metadata.
    signature : Signature
        Of the model.
    receipt : Receipt
        Reference inputs and outputs.
    predictor : Predictor
        Answers rows.
    """

    name: str
    version: str
    digest: str
    message: str
    platform: str
    signature: Signature
    receipt: Receipt
    predictor: Predictor

    @property
    def method(self) -> str:
        """What is called."""
        return self.receipt.method

    @classmethod
    def open(cls, job: Job) -> Loaded:
        """Load the model that the job's bundle describes."""
        document: dict[str, Any] = job.description()
        signature, receipt = signature_of(job), receipt_of(job)
        model = load(job)
        predictor = Predictor(
            model,
            receipt.method,
            Codec(signature),
            is_batching=receipt.batching != "refused",
            rows_multiple=receipt.rows_multiple,
        )
        name = str(job.options.get("name") or document["name"])
        use_engine(predictor, receipt)
        return cls(
            name=name.partition("@")[0].partition(":")[0] or document["name"],
            version=str(document.get("version", "1")),
            digest=job.digest,
            message=str(document.get("service", {}).get("message", "")),
            platform=class_name(model),
            signature=signature,
            receipt=receipt,
            predictor=predictor,
        )

    def measure(self) -> Costs:
        """Ask the receipt's rows a few times: warms the model up and times it."""
        rows = self.predictor.codec.read_rows(self.receipt.rows)
        one = rows[:1]
        many = [rows[i % len(rows)] for i in range(_BATCH)]
        return Costs(
            row_s=min(self._timed(one) for _ in range(_ROUNDS)),
            batch_s=min(self._timed(many) for _ in range(_ROUNDS)),
        )

    def _timed(self, rows: Any) -> float:
        started = time.perf_counter()
        self.predictor(rows)
        return time.perf_counter() - started


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a call of the model costs here.

    Parameters
    ----------
    row_s : float
        Seconds for one row.
    batch_s : float
        Seconds for a batch of 64 rows.
    """

    row_s: float
    batch_s: float

    @property
    def is_dear(self) -> bool:
        """Whether the model costs more than reading and writing its requests does."""
        return self.batch_s / _BATCH > 50e-6

    @property
    def needs_thread(self) -> bool:
        """Whether a call is so long that the loop must stay awake beside it."""
        return self.batch_s > 5e-3


def use_engine(predictor: Predictor, receipt: Receipt) -> None:
    """Let a proven engine answer the sizes of call for which it is faster here.

    Parameters
    ----------
    predictor : Predictor
        Gets the engine, if there is one and it gives the model's own bits here as well.
    receipt : Receipt
        Says which engines were proven.
    """
    proven = {engine.name for engine in receipt.engines if engine.proof == "identical"}
    if not proven:
        return
    engine = find_engine(predictor.model, receipt.method)
    if engine is None or engine.name not in proven:
        return
    rows = predictor.codec.read_rows(receipt.rows)
    fastest = 0
    for size in _ENGINE_SIZES:
        array = predictor.codec.assemble([rows[i % len(rows)] for i in range(size)])
        if not same_bits(predictor.call(array), engine.call(array)):
            return
        if _seconds(engine.call, array) > _seconds(predictor.call, array):
            break
        fastest = size
    predictor.engine, predictor.engine_rows = engine, fastest


def _seconds(call: Any, array: Any) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        call(array)
        best = min(best, time.perf_counter() - started)
    return best
