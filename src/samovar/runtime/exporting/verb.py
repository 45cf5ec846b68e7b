"""The verb ``export``: convert the bundle's model and replay the receipt on the result."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput, SamovarError, ScriptFailed, UserError
from samovar.runtime.codec import Codec
from samovar.runtime.exporting.converted import Converted, Original, aligned, as_tensors, cannot
from samovar.runtime.exporting.neighbours import neighbours_of
from samovar.runtime.opening import load, method_of, receipt_of, signature_of
from samovar.runtime.outputs import Answer, concatenate

if TYPE_CHECKING:
    from samovar.runtime.codec import Rows
    from samovar.runtime.exporting.converted import Converter
    from samovar.runtime.job import Job

_MAX_NEIGHBOURS: Final = 200


def export(job: Job) -> dict[str, Any]:
    """Convert, and answer the receipt's rows and their neighbours with both.

    Parameters
    ----------
    job : Job
        Its options: ``format``, ``converter`` (folder of its packages), ``output`` (path),
        ``precision`` (``auto``, ``double`` or ``single``).

    Returns
    -------
    dict
        ``precision``; ``rows`` and ``neighbours``, each ``{"count", "recorded", "observed"}`` with
        lists of tensors (core/receipt.py).
    """
    # Behind the environment's own packages and the runtime's: it can shadow none of them.
    sys.path.append(str(job.options["converter"]))
    method, receipt, signature = method_of(job), receipt_of(job), signature_of(job)
    description = job.description()
    model = load(job, method=method)
    original = Original(
        model=model,
        method=method,
        signature=signature,
        name=str(description["name"]),
        trusted=tuple(description["model"].get("trusted", ())),
        rows_multiple=receipt.rows_multiple,
    )
    codec = Codec(signature)
    asked = Asked(original, codec)
    target = str(job.options["format"])
    converted = _converter(target)(
        original, Path(job.options["output"]), str(job.options["precision"])
    )
    rows = codec.read_rows(receipt.rows)
    near = neighbours_of(signature, receipt.rows, limit=_MAX_NEIGHBOURS)
    return {
        "precision": converted.precision,
        "rows": asked.both(converted, rows, target),
        "neighbours": asked.both_where_taken(converted, near, target),
    }


class Asked:
    """Asks the model and the converted file the same.

    Parameters
    ----------
    original : Original
        The model.
    codec : Codec
        Reads rows.
    """

    def __init__(self, original: Original, codec: Codec) -> None:
        self._codec = codec
        self._has_scores = original.has_scores
        self._predictors = [
            original.predictor(original.model, method, codec) for method in original.methods
        ]

    def both(self, converted: Converted, rows: Rows, target: str) -> dict[str, Any]:
        """Give the answers of both in the receipt's form."""
        recorded = self._recorded(rows)
        return self._compared(converted, rows, recorded, target)

    def both_where_taken(
        self, converted: Converted, documents: list[Any], target: str
    ) -> dict[str, Any]:
        """Leave out the rows that the model itself, or its signature, does not take."""
        rows, answers = [], []
        for document in documents:
            try:
                read = self._codec.read_rows([document])
                answers.append(self._recorded(read))
            except (InvalidInput, ScriptFailed):
                continue
            rows += list(read)
        if not rows:
            return {"count": 0, "recorded": [], "observed": []}
        recorded = [concatenate(parts)[0] for parts in _columns(answers)]
        return self._compared(converted, rows, recorded, target)

    def _recorded(self, rows: Rows) -> list[Answer]:
        return [
            answer
            for predictor in self._predictors
            for answer in concatenate([predictor.ask([row]) for row in rows])
        ]

    def _compared(
        self, converted: Converted, rows: Rows, recorded: list[Answer], target: str
    ) -> dict[str, Any]:
        try:
            observed = list(converted.answers(rows))
            if self._has_scores:
                observed += converted.scores(rows)
        except (SamovarError, MemoryError):
            raise
        except Exception as error:  # the other format's library may raise anything
            raise cannot(target, error, "The file was written, and does not answer.") from error
        pairs = [aligned(raw, answer) for raw, answer in zip(observed, recorded, strict=False)]
        return {
            "count": len(rows),
            "recorded": as_tensors(recorded),
            "observed": as_tensors(pairs),
        }


def _columns(answers: list[list[Answer]]) -> list[list[tuple[Answer, ...]]]:
    """Turn rows of outputs into outputs of rows."""
    return [[(answer,) for answer in column] for column in zip(*answers, strict=True)]


def _converter(target: str) -> Converter:
    if target == "onnx":
        from samovar.runtime.exporting.to_onnx import to_onnx

        return to_onnx
    if target == "skops":
        from samovar.runtime.exporting.to_skops import to_skops

        return to_skops
    if target == "pmml":
        from samovar.runtime.exporting.to_pmml import to_pmml

        return to_pmml
    raise UserError(f"There is no converter to {target!r}.")
