"""The verb ``replay``: ask the model a receipt's rows again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samovar.runtime.codec import Codec
from samovar.runtime.opening import load, method_of, receipt_of, signature_of
from samovar.runtime.outputs import concatenate, to_tensor
from samovar.runtime.predictor import Predictor

if TYPE_CHECKING:
    from samovar.runtime.job import Job


def replay(job: Job) -> dict[str, Any]:
    """Answer the receipt's rows one by one, as they were recorded.

    Parameters
    ----------
    job : Job
        Its options, all from the bundle's receipt by default: ``rows``, ``method``.

    Returns
    -------
    dict
        ``outputs``, a list of tensors (core/receipt.py).
    """
    method = method_of(job)
    rows = job.options.get("rows")
    codec = Codec(signature_of(job))
    receipt = receipt_of(job)
    predictor = Predictor(
        load(job, method=method),
        method,
        codec,
        is_batching=True,
        rows_multiple=receipt.rows_multiple,
    )
    checked = codec.read_rows(rows if rows is not None else receipt.rows)
    answers = concatenate([predictor.ask([row]) for row in checked])
    return {"outputs": [to_tensor(answer).to_json() for answer in answers]}
