"""What the user says of columns goes over what was inferred, or is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from runtime_tree import make_bundle
from samovar.core.signature import Column
from samovar.errors import InvalidInput
from samovar.runtime.editing import edited
from samovar.runtime.inference import ExampleTable
from samovar.runtime.job import Job
from samovar.runtime.record import record

if TYPE_CHECKING:
    from pathlib import Path

TABLE = ExampleTable(
    container="frame",
    columns=(
        Column(name="age", dtype="float64"),
        Column(name="size", dtype="category", categories=("S", "L")),
        Column(name="seen", dtype="datetime", timezone="UTC"),
    ),
    rows=[[1.0, "S", "2024-01-01T00:00Z"]],
)
TEXTS = ExampleTable(container="texts", columns=(Column(name="text", dtype="string"),), rows=["x"])


def test_fields_are_put_over_what_was_inferred() -> None:
    columns = edited(
        TABLE,
        {
            "age": {"dtype": "category", "categories": [1, 2]},
            "size": {"ordered": True, "nullable": True},
            "seen": {"timezone": "Europe/Berlin"},
        },
    ).columns
    assert columns[0] == Column(name="age", dtype="category", categories=(1, 2))
    assert columns[1].ordered
    assert (columns[1].categories, columns[1].nullable) == (("S", "L"), True)
    assert columns[2].timezone == "Europe/Berlin"
    plain = edited(TABLE, {"size": {"dtype": "string"}, "seen": {"dtype": "string"}}).columns
    assert plain[1:] == (Column(name="size", dtype="string"), Column(name="seen", dtype="string"))


@pytest.mark.parametrize(
    ("table", "edits", "said"),
    [
        (TABLE, {"agge": {}}, "no such column"),
        (TABLE, {"age": {"dtype": "category"}}, "a category has categories"),
        (TABLE, {"age": {"categories": [1]}}, "categories belongs to a category"),
        (TABLE, {"age": {"timezone": "UTC"}}, "timezone belongs to a datetime"),
        (TABLE, {"seen": {"timezone": "Mars/Base"}}, "no time zone 'Mars/Base'"),
        (TEXTS, {"text": {"dtype": "float64"}}, "a model over texts takes strings"),
    ],
)
def test_what_cannot_be_is_refused(table: ExampleTable, edits: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        edited(table, edits)
    assert caught.value.message.startswith("samovar.toml, [signature.columns.")


def recorded(folder: Path, rows: list[Any], **edits: Any) -> dict[str, Any]:
    """Record a model over two numbers that takes no nulls."""
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame({"age": [0.0, 1.0, 2.0], "size": [1.0, 0.0, 5.0]})
    model = LinearRegression().fit(frame, [1.0, 2.0, 3.0])
    bundle = make_bundle(folder / "bundle", model)
    options = {"rows": rows, "columns": ["age", "size"], "edits": edits}
    job = Job(verb="record", bundle=bundle, wanted={}, result=None, options=options)
    answer: dict[str, Any] = record(job)["signature"]
    return answer


def test_the_model_is_asked_with_what_the_user_says(tmp_path: Path) -> None:
    signature = recorded(tmp_path, [[1, 2.0], [3, 4.5]], age={"dtype": "int16"})
    assert [column["dtype"] for column in signature["inputs"]] == ["int16", "float64"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"nullable": True}, "the model refuses null in it"),
        ({"dtype": "int8"}, "Row 1, column 'age': 300 is out of range for int8"),
        ({"dtype": "bool"}, "Row 0, column 'age': true or false is wanted, 1 was found"),
    ],
)
def test_what_the_examples_or_the_model_contradict_is_refused(
    tmp_path: Path, edit: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        recorded(tmp_path, [[1, 2.0], [300, 4.5]], age=edit)
