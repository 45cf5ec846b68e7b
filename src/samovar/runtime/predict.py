"""The verb ``predict``: answer a file of columns, a batch a line.

The parent reads CSV, JSON, Parquet or Arrow and writes one JSON object a line,
``{"columns": [[...], ...]}`` in the signature's order (``{"columns": [["text", ...]]}`` for texts);
the answer has one line for each of them, ``{"outputs": [tensor, ...]}`` (core/receipt.py). Neither
side holds more than a batch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samovar.errors import InvalidInput, ScriptFailed
from samovar.runtime.codec import Codec
from samovar.runtime.opening import load, method_of, receipt_of, signature_of
from samovar.runtime.outputs import to_tensor
from samovar.runtime.predictor import Predictor

if TYPE_CHECKING:
    from samovar.runtime.job import Job


def predict(job: Job) -> dict[str, Any]:
    """Answer all batches of a file.

    Parameters
    ----------
    job : Job
        Its options: ``input`` and ``output`` (paths), ``method`` (by default the bundle's).

    Returns
    -------
    dict
        ``rows``, how many were answered, and ``outputs``, the names and datatypes of what was
        answered.

    Raises
    ------
    InvalidInput
        Naming the row, counted from 0 over the whole input.
    """
    method = method_of(job)
    receipt = receipt_of(job)
    codec = Codec(signature_of(job))
    # Another method was not measured: it is asked row by row.
    earned = method == receipt.method and receipt.batching != "refused"
    predictor = Predictor(
        load(job, method=method),
        method,
        codec,
        is_batching=earned,
        rows_multiple=receipt.rows_multiple if earned else 1,
    )
    done = 0
    described: list[dict[str, Any]] = []
    source, target = Path(job.options["input"]), Path(job.options["output"])
    with source.open("rb") as lines, target.open("w", encoding="utf-8") as output:
        for line in lines:
            rows = _read(codec, _decode(line)["columns"], done)
            tensors = [to_tensor(answer) for answer in _ask(predictor, rows, done)]
            output.write(_encode({"outputs": [tensor.to_json() for tensor in tensors]}) + "\n")
            described = [{"name": tensor.name, "datatype": tensor.datatype} for tensor in tensors]
            done += len(rows)
    return {"rows": done, "outputs": described}


def _read(codec: Codec, columns: list[list[Any]], first: int) -> Any:
    if len(columns) != len(codec.names):
        raise InvalidInput(
            f"The input has {len(columns)} columns, the model takes {len(codec.names)}.",
            hint=codec.example_hint(),
            code="wrong_columns",
        )
    try:
        return codec.read_columns(dict(zip(codec.names, columns, strict=True)))
    except InvalidInput:
        for number, row in enumerate(zip(*columns, strict=True)):
            codec.read_row(row, first + number)
        raise


def _ask(predictor: Predictor, rows: Any, first: int) -> Any:
    try:
        return predictor(rows)
    except ScriptFailed:
        for number in range(len(rows)):
            try:
                predictor.ask(rows[number : number + 1])
            except ScriptFailed as error:
                raise InvalidInput(
                    f"The model refuses row {first + number}.", why=error.why, code="model_refused"
                ) from error
        raise


def _decode(line: bytes) -> Any:
    try:
        import msgspec
    except ImportError:
        return json.loads(line)
    return msgspec.json.decode(line)


def _encode(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
