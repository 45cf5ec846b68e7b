"""A bundle's model, loaded and ready to be asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.codec import Codec
from samovar.runtime.opening import load, receipt_of, signature_of
from samovar.runtime.predictor import Predictor, class_name

if TYPE_CHECKING:
    from samovar.core.receipt import Receipt
    from samovar.core.signature import Signature
    from samovar.runtime.job import Job

_ROUNDS: Final = 3
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
        return cls(
            name=name.partition("@")[0].partition(":")[0] or document["name"],
            version=str(document.get("version", "1")),
            digest=str(job.options.get("digest", "")),
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
