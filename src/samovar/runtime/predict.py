"""The verb ``predict``: answer files of frames (core/frames.py), batch by batch.

The model is loaded at once, and asked as the parent names files, a line of JSON on stdin for each;
a line on stdout says that one is answered.

The parent reads CSV, JSON, Parquet or Arrow and writes one frame for each batch, its parts the
columns in the signature's order; the answer has one frame for each of them, its parts the outputs.
Neither side holds more than a batch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samovar.core.frames import Part, read_frames, write_frame
from samovar.runtime.codec import Codec
from samovar.runtime.columns import ColumnReader, ask_columns
from samovar.runtime.endings import take_stdout
from samovar.runtime.opening import load, method_of, receipt_of, signature_of
from samovar.runtime.outputs import to_tensor
from samovar.runtime.predictor import Predictor

if TYPE_CHECKING:
    from samovar.runtime.job import Job
    from samovar.runtime.outputs import Answer


def predict(job: Job) -> dict[str, Any]:
    """Answer all files that are named on stdin: ``{"input", "output"}``, both paths.

    Parameters
    ----------
    job : Job
        Its options: ``method`` (by default the bundle's).

    Returns
    -------
    dict
        ``rows``, how many were answered.

    Raises
    ------
    InvalidInput
        Naming the row, counted from 0 over the whole input.
    """
    stdout = take_stdout()
    method = method_of(job)
    receipt = receipt_of(job)
    signature = signature_of(job)
    # Another method was not measured: it is asked row by row.
    earned = method == receipt.method and receipt.batching != "refused"
    predictor = Predictor(
        load(job, method=method),
        method,
        Codec(signature),
        is_batching=earned,
        rows_multiple=receipt.rows_multiple if earned else 1,
    )
    reader = ColumnReader(signature)
    total = 0
    for line in sys.stdin.buffer:
        task = json.loads(line)
        rows = _answer(predictor, reader, Path(task["input"]), Path(task["output"]))
        stdout.write(json.dumps({"rows": rows}) + "\n")
        stdout.flush()
        total += rows
    return {"rows": total}


def _answer(predictor: Predictor, reader: ColumnReader, source: Path, target: Path) -> int:
    done = 0
    with source.open("rb") as frames, target.open("wb") as output:
        for parts in read_frames(frames):
            if parts and parts[0].shape[0]:
                answers = ask_columns(predictor, reader, parts, done)
                write_frame(output, [_part(answer) for answer in answers])
                done += parts[0].shape[0]
    return done


def _part(answer: Answer) -> Part:
    """Give an output as a buffer where it is made of numbers, else as JSON values."""
    values = answer.values
    if values.dtype.kind in "fiub":
        values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        return Part(
            name=answer.name,
            shape=values.shape,
            dtype=values.dtype.name,
            data=memoryview(values).cast("B"),
        )
    tensor = to_tensor(answer)
    return Part(name=answer.name, shape=tensor.shape, dtype=None, data=list(tensor.data))
