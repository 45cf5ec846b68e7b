"""Verify a running service: ask it the receipt's rows over HTTP and compare its answers.

A service is asked by the Open Inference Protocol where it speaks it, else by ``/predict``, in one
list of rows or, where it refuses lists, row by row.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx

from samovar.bundle.service_v2 import ask_v2
from samovar.bundle.verify import Verification
from samovar.compare.verdict import compare_outputs
from samovar.core.receipt import NON_FINITE, Receipt, Tensor
from samovar.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.bundle import BundleDocument
    from samovar.core.signature import Signature

_TIMEOUT_S = 60.0


def verify_service(address: str, document: BundleDocument, receipt: Receipt) -> Verification:
    """Ask a service for the receipt's rows and judge its answers.

    Parameters
    ----------
    address : str
        ``http://host:port``, with or without a path before ``/predict``.
    document : BundleDocument
        Names the model and its columns, for services that take records only.
    receipt : Receipt
        What was recorded.

    Raises
    ------
    Unavailable
        Where nobody answers there, or the answers are not a service's.
    """
    started = time.monotonic()
    base = address.rstrip("/").removesuffix("/predict")
    rows = list(receipt.rows)
    try:
        with httpx.Client(timeout=_TIMEOUT_S, trust_env=True) as client:
            observed = ask_v2(client, base, document, receipt)
            if observed is None:
                answers = _ask(client, base, document.signature, rows)
                observed = _tensors(receipt, answers)
    except httpx.HTTPError as error:
        raise Unavailable(
            f"Nobody answers at {base}.",
            why=str(error) or type(error).__name__,
            hint="Start the service, or check the address and the port.",
            code="service_unreachable",
        ) from error
    return Verification(
        comparison=compare_outputs(receipt.outputs, observed, receipt.policy),
        rows=len(rows),
        mismatches=(),
        elapsed_s=time.monotonic() - started,
    )


def _ask(client: httpx.Client, base: str, signature: Signature, rows: Sequence[Any]) -> list[Any]:
    """Give one answer for each row, in order."""
    url = f"{base}/predict"
    if len(rows) > 1:
        answer = client.post(url, json=list(rows))
        listed = _predictions(answer)
        if listed is not None and len(listed) == len(rows):
            return listed
    return [_ask_one(client, url, signature, row, number) for number, row in enumerate(rows)]


def _ask_one(client: httpx.Client, url: str, signature: Signature, row: Any, number: int) -> Any:
    answer = client.post(url, json=row)
    if answer.is_client_error and isinstance(row, list):
        names = [column.name for column in signature.inputs]
        answer = client.post(url, json=dict(zip(names, row, strict=True)))
    value = _prediction(answer)
    if value is _NONE:
        raise Unavailable(
            f"The service's answer to row {number} is not a prediction.",
            why=f"POST {url} gave status {answer.status_code}: {answer.text[:200]}",
            hint="The service must answer POST /predict with a prediction.",
            code="service_answer",
        )
    return value


_NONE = object()


def _prediction(answer: httpx.Response) -> Any:
    """Read one prediction in any of the usual forms."""
    if answer.status_code != 200:
        return _NONE
    try:
        document = answer.json()
    except ValueError:
        return _NONE
    if isinstance(document, dict):
        for key in ("prediction", "predictions", "result", "output"):
            if key in document:
                document = document[key]
                break
        else:
            return _NONE
    # A service written by hand often answers one row with a list of one.
    return document[0] if isinstance(document, list) and len(document) == 1 else document


def _predictions(answer: httpx.Response) -> list[Any] | None:
    if answer.status_code != 200:
        return None
    try:
        document = answer.json()
    except ValueError:
        return None
    if isinstance(document, dict):
        document = document.get("predictions", document.get("prediction"))
    return document if isinstance(document, list) else None


def _tensors(receipt: Receipt, answers: Sequence[Any]) -> list[Tensor]:
    """Arrange JSON answers as the tensors of the receipt."""
    several = len(receipt.outputs) > 1
    tensors = []
    for position, output in enumerate(receipt.outputs):
        values: list[Any] = []
        for number, answer in enumerate(answers):
            part = _part(answer, output.name, position) if several else answer
            values.extend(_flat(part, output, number))
        tensors.append(
            Tensor(
                name=output.name,
                datatype=output.datatype,
                shape=output.shape,
                data=tuple(values),
            )
        )
    return tensors


def _part(answer: Any, name: str, position: int) -> Any:
    return answer[name] if isinstance(answer, dict) else answer[position]


def _flat(value: Any, output: Tensor, number: int) -> list[Any]:
    expected = 1
    for size in output.shape[1:]:
        expected *= size
    waiting, flat = [value], []
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(reversed(item))
        else:
            flat.append(_value(item, output))
    if len(flat) != expected:
        raise InvalidInput(
            f"The service answered row {number} with {len(flat)} values; "
            f"the receipt has {expected}.",
            hint="Is it the service of this bundle?",
            code="service_answer",
        )
    return flat


def _value(item: Any, output: Tensor) -> Any:
    if not output.is_float:
        return item
    if item is None:
        return "NaN"
    if isinstance(item, str) and item in NON_FINITE:
        return item
    return float(item) if isinstance(item, (int, float)) else item
