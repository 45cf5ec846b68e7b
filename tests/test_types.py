"""No type changes on its way to the model, and the documentation says what was measured."""

from __future__ import annotations

import json
from functools import cache

import type_table
from samovar.core.signature import CONTAINERS, DTYPES


@cache
def measured() -> str:
    return type_table.table()


def test_no_cell_is_silently_different() -> None:
    assert type_table.DIFFERENT not in measured(), measured()


def test_the_page_has_the_table_that_is_measured() -> None:
    assert type_table.committed() == measured(), "run: python tests/type_table.py"


def test_every_type_of_signatures_is_measured() -> None:
    measured_types = {kind.column.dtype.lower() for kind in type_table.KINDS}
    widths = {f"{prefix}{bits}" for prefix in ("int", "uint") for bits in (8, 16, 32, 64)}
    others = {"float32", "float64", "bool", "boolean", "string", "category", "datetime", "decimal"}
    assert measured_types == widths | others


def test_the_schema_names_what_signatures_have() -> None:
    schema = json.loads(type_table.PAGE.with_name("signature.schema.json").read_text())
    column = schema["$defs"]["column"]["properties"]
    assert tuple(schema["properties"]["container"]["enum"]) == CONTAINERS
    assert sorted(column["dtype"]["enum"]) == sorted(DTYPES)
    for kind in type_table.KINDS:
        document = type_table.signature_of(kind).to_json()
        assert set(document) == set(schema["required"])
        assert all(set(one) <= set(column) for one in document["inputs"])
