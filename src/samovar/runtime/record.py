"""The verb ``record``: a model's signature and its receipt, from example rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.core.receipt import Policy, ProvenEngine, Receipt
from samovar.core.signature import Signature
from samovar.errors import InvalidInput, ScriptFailed
from samovar.runtime.codec import Codec
from samovar.runtime.editing import edited, refused_null
from samovar.runtime.engines import find_engine, same_bits
from samovar.runtime.estimators import is_positional, may_take_null, policy_of
from samovar.runtime.inference import describe_outputs, read_examples
from samovar.runtime.opening import load, method_of
from samovar.runtime.outputs import Answer, concatenate, to_tensor
from samovar.runtime.packages import distribution_of
from samovar.runtime.predictor import Predictor, bound_method, class_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.core.signature import Column
    from samovar.runtime.inference import ExampleTable
    from samovar.runtime.job import Job

    Answers = tuple[Answer, ...]

_BATCH_SIZES: Final = (2, 3, 7, 16, 17, 64, 100)
_BLOCK: Final = 16
_PROBES: Final = 16
_PROBED: Final = frozenset({"float64", "float32", "string", "object"})


def record(job: Job) -> dict[str, Any]:
    """Infer the signature, ask the model the example rows, and measure whether batching changes it.

    Parameters
    ----------
    job : Job
        Its options: ``rows`` (lists, objects or strings), ``columns`` (names, optional),
        ``edits`` (what the user says of columns, optional; runtime/editing.py),
        ``numerics`` (the level this process runs under).

    Returns
    -------
    dict
        ``signature``, ``receipt`` and ``model: {"class", "library"}``.
    """
    method = method_of(job)
    model = load(job, method=method)
    edits: Mapping[str, Any] = job.options.get("edits", {})
    table = read_examples(model, job.options["rows"], job.options.get("columns"))
    table = _plainest(model, method, edited(table, edits))
    table = _with_nulls_probed(model, method, table, edits)
    policy = Policy(relative_difference=policy_of(model))
    singly, batching, multiple = _call_shape(model, method, table, policy)
    answers = concatenate(singly)
    receipt = Receipt(
        method=method,
        rows=tuple(table.rows),
        outputs=tuple(to_tensor(answer) for answer in answers),
        batching=batching,
        policy=policy,
        numerics=str(job.options.get("numerics", "native")),
        rows_multiple=multiple,
        engines=prove_engines(model, method, table, multiple),
    )
    signature = Signature(
        container=table.container,
        inputs=table.columns,
        outputs=describe_outputs(model, method, answers),
    )
    kind = class_name(model)
    return {
        "signature": signature.to_json(),
        "receipt": receipt.to_json(),
        "model": {"class": kind, "library": distribution_of(kind)},
    }


def _call_shape(
    model: Any, method: str, table: ExampleTable, policy: Policy
) -> tuple[list[Answers], str, int]:
    """Find out how to call the model so that a row's answer has the same bits in any company.

    Returns
    -------
    tuple
        The answers one by one, the word for the receipt, and the multiple of rows to call with.
    """
    predictor, singly = _ask_singly(model, method, table)
    batching = measure_batching(predictor, table.rows, singly, policy)
    probes = _probes(model, method, table)
    if batching == "identical":
        # A few rows of round numbers can agree by chance.
        batching = _measure(model, method, probes, policy, 1)
    if batching == "equivalent":
        # BLAS multiplies a lone row, and the rows that are left over at the end of a block, by
        # other code than whole blocks.
        padded, answers = _ask_singly(model, method, table, _BLOCK)
        if (
            measure_batching(padded, table.rows, answers, policy) == "identical"
            and _measure(model, method, probes, policy, _BLOCK) == "identical"
        ):
            return answers, "identical", _BLOCK
    return singly, batching, 1


def _measure(
    model: Any, method: str, table: ExampleTable, policy: Policy, rows_multiple: int
) -> str:
    predictor, singly = _ask_singly(model, method, table, rows_multiple)
    return measure_batching(predictor, table.rows, singly, policy)


def _probes(model: Any, method: str, table: ExampleTable) -> ExampleTable:
    """Make further rows from the examples, with less round numbers, as far as the model takes them.

    They are for measuring only and are not part of the receipt.
    """
    if table.container == "texts":
        return table
    floats = [column.dtype == "float64" for column in table.columns]
    rows = list(table.rows[:_PROBES])
    for number in range(_PROBES):
        source = table.rows[number % len(table.rows)]
        factor = 1.0 + (number + 1) * 0.1372549019607843
        row = [
            value * factor if is_float and isinstance(value, (int, float)) else value
            for value, is_float in zip(source, floats, strict=True)
        ]
        try:
            _ask_singly(model, method, replace(table, rows=[row]))
        except InvalidInput:
            continue
        rows.append(row)
    return replace(table, rows=rows)


def measure_batching(
    predictor: Predictor, rows: list[Any], singly: list[Answers], policy: Policy
) -> str:
    """Compare answers one by one with answers in batches of several sizes and positions.

    Returns
    -------
    str
        ``identical`` where all bits are equal, ``equivalent`` where they differ within the policy
        and no label does, else ``refused``.
    """
    checked = predictor.codec.read_rows(rows)
    count = len(rows)
    worst = "identical"
    orders = [list(range(count)), list(range(count))[::-1]]
    for size in _BATCH_SIZES:
        start = size % count
        orders.append([(start + i) % count for i in range(size)])
    for order in orders:
        try:
            together = predictor.ask([checked[i] for i in order])
        except ScriptFailed:
            return "refused"
        verdict = _compare(together, concatenate([singly[i] for i in order]), policy)
        if verdict == "refused":
            return verdict
        worst = verdict if verdict != "identical" else worst
    return worst


def prove_engines(
    model: Any, method: str, table: ExampleTable, rows_multiple: int
) -> tuple[ProvenEngine, ...]:
    """Find the engine for a model and compare its answers with the model's, bit for bit."""
    is_plain = table.container == "array" and all(
        column.dtype == "float64" and not column.nullable for column in table.columns
    )
    engine = find_engine(model, method) if is_plain else None
    if engine is None:
        return ()
    probes = _probes(model, method, table)
    codec = Codec(Signature(container="array", inputs=table.columns, outputs=()))
    rows = codec.read_rows([*table.rows, *probes.rows])
    call = bound_method(model, method)
    for size in sorted({1, *_BATCH_SIZES, len(rows)}):
        for start in (0, size % len(rows)):
            count = size + -size % rows_multiple
            array = codec.assemble([rows[(start + i) % len(rows)] for i in range(count)])
            if not same_bits(call(array), engine.call(array)):
                return ()
    return (ProvenEngine(name=engine.name, proof="identical"),)


def _compare(together: Answers, singly: Answers, policy: Policy) -> str:
    verdict = "identical"
    for one, other in zip(together, singly, strict=True):
        a, b = one.values, other.values
        if a.shape != b.shape or a.dtype != b.dtype:
            return "refused"
        if a.dtype.kind != "f":
            if not np.array_equal(a, b):
                return "refused"
        elif a.tobytes() != b.tobytes():
            if not _is_close(a, b, policy.relative_difference):
                return "refused"
            verdict = "equivalent"
    return verdict


def _is_close(a: Any, b: Any, relative: float) -> bool:
    finite = np.isfinite(b)
    if not np.array_equal(np.isfinite(a), finite):
        return False
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    scale = np.abs(b[finite]).max(initial=0.0)
    return bool(np.abs(a[finite] - b[finite]).max(initial=0.0) <= relative * scale)


def _ask_singly(
    model: Any, method: str, table: ExampleTable, rows_multiple: int = 1
) -> tuple[Predictor, list[Answers]]:
    signature = Signature(container=table.container, inputs=table.columns, outputs=())
    predictor = Predictor(
        model, method, Codec(signature), is_batching=True, rows_multiple=rows_multiple
    )
    rows = predictor.codec.read_rows(table.rows)
    answers = []
    for number, row in enumerate(rows):
        try:
            answers.append(predictor.ask([row]))
        except ScriptFailed as error:
            raise InvalidInput(
                f"The model refuses example row {number}: {error.message}"
                if error.code != "model_refused"
                else f"The model refuses example row {number}.",
                why=error.why,
                hint="Are the columns those that the model was fitted with, in their order?",
                code="model_refused",
            ) from error
    return predictor, answers


def _plainest(model: Any, method: str, table: ExampleTable) -> ExampleTable:
    """Call with an array instead of a DataFrame where that is proven to give the same bits."""
    if table.container != "frame" or not is_positional(model):
        return table
    if any(column.dtype != "float64" for column in table.columns):
        return table
    array = replace(table, container="array")
    framed = concatenate(_ask_singly(model, method, table)[1])
    try:
        plain = concatenate(_ask_singly(model, method, array)[1])
    except InvalidInput:
        return table
    return (
        array
        if _compare(plain, framed, Policy(relative_difference=0.0)) == "identical"
        else (table)
    )


def _with_nulls_probed(
    model: Any, method: str, table: ExampleTable, edits: Mapping[str, Any]
) -> ExampleTable:
    """Allow null in columns where the model, made for missing values, answers it.

    What the user says is not probed but proven: where null is to be taken, the model takes it.
    """
    if table.container == "texts":
        return table
    said = {name: edit["nullable"] for name, edit in edits.items() if "nullable" in edit}
    for name, nullable in said.items():
        if nullable and not _takes_null(model, method, table, name):
            raise refused_null(name)
    if not may_take_null(model):
        return table
    for column in table.columns:
        if column.nullable or column.name in said or column.dtype not in _PROBED:
            continue
        if _takes_null(model, method, table, column.name):
            table = replace(table, columns=_nullable(table, column.name))
    return table


def _takes_null(model: Any, method: str, table: ExampleTable, name: str) -> bool:
    columns = _nullable(table, name)
    row = [
        None if column.name == name else value
        for column, value in zip(columns, table.rows[0], strict=True)
    ]
    try:
        _ask_singly(model, method, replace(table, columns=columns, rows=[row]))
    except InvalidInput:
        return False
    return True


def _nullable(table: ExampleTable, name: str) -> tuple[Column, ...]:
    return tuple(
        replace(column, nullable=True) if column.name == name else column
        for column in table.columns
    )
