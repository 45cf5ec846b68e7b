"""Score files of rows: every format in and out, exact types, bad lines named."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pyarrow as arrow
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import ipc, parquet

from cli import copy_example, samovar

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [[1, 0, 1, 24.0], [3, 1, 1, None], [2, 1, 0, 8.5]]
COLUMNS = ["pclass", "male", "adult", "age"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("predict")
    project = copy_example(base / "web")
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=base / "home")
    samovar("pack", cwd=project, SAMOVAR_HOME=base / "home")
    return base / "home"


@pytest.fixture(scope="module")
def answers(home, tmp_path_factory) -> list[int]:
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    path.write_text(json.dumps(ROWS))
    return samovar("predict", "titanic", path, "--json", SAMOVAR_HOME=home).json["predictions"]


def write(path: Path) -> Path:
    """Write the rows in the format that the ending names."""
    records = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    table = arrow.Table.from_pylist(records)
    if path.suffix == ".json":
        path.write_text(json.dumps(records))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif path.suffix == ".csv":
        arrow_csv.write_csv(table.select(COLUMNS[::-1]), path)
    elif path.suffix == ".parquet":
        parquet.write_table(table.select(COLUMNS[::-1]), path)
    else:
        with ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    return path


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet", "arrow"])
def test_every_format_gives_the_same_answers(home, answers, tmp_path, ending):
    source = write(tmp_path / f"rows.{ending}")
    document = samovar("predict", "titanic", source, "--json", SAMOVAR_HOME=home).json
    assert document == {"predictions": answers, "rows": 3, "engine": "scikit-learn"}


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet", "arrow"])
def test_every_format_is_written_whole_and_in_order(home, answers, tmp_path, ending):
    source, output = write(tmp_path / "rows.csv"), tmp_path / f"out.{ending}"
    samovar("predict", "titanic", source, "-o", output, "--json", SAMOVAR_HOME=home)
    if ending == "json":
        found = json.loads(output.read_text())
    elif ending == "jsonl":
        found = [json.loads(line)["prediction"] for line in output.read_text().splitlines()]
    elif ending == "csv":
        rows = csv.DictReader(output.read_text().splitlines())
        found = [int(row["prediction"]) for row in rows]
    elif ending == "parquet":
        found = parquet.read_table(output)["prediction"].to_pylist()
    else:
        found = ipc.open_file(output).read_all()["prediction"].to_pylist()
    assert found == answers


def test_probabilities_make_a_column_each_and_round_trip(home, tmp_path):
    source = write(tmp_path / "rows.csv")
    arguments = ["predict", "titanic", source, "--method", "predict_proba"]
    listed = samovar(*arguments, "--json", SAMOVAR_HOME=home).json["predictions"]
    samovar(*arguments, "-o", tmp_path / "out.csv", SAMOVAR_HOME=home)
    with (tmp_path / "out.csv").open() as file:
        rows = [
            [float(row["prediction_0"]), float(row["prediction_1"])] for row in csv.DictReader(file)
        ]
    assert rows == listed


def test_standard_input_is_read(home, answers):
    document = samovar(
        "predict", "titanic", "-", "--json", stdin=json.dumps(ROWS), SAMOVAR_HOME=home
    )
    assert document.json["predictions"] == answers
    text = "pclass,male,adult,age\n1,0,1,24\n3,1,1,\n2,1,0,8.5\n"
    document = samovar("predict", "titanic", "-", "--json", stdin=text, SAMOVAR_HOME=home)
    assert document.json["predictions"] == answers


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "pclass,male,adult,age\n1,0,1,24\n3,x,1,2\n", ["line 3", "'male'", "'x'"]),
        ("a.csv", "pclass,male,adult,age\n1,0,1,24\n\n3,1,1\n", ["line 4"]),
        ("a.csv", "pclass,male,adult\n1,0,1\n", ["lacks the column 'age'"]),
        ("a.csv", "pclass,pclass\n1,0\n", ["twice"]),
        ("a.csv", "", ["empty"]),
        ("a.jsonl", "[1,0,1,24]\n[1,0,1\n", ["line 2"]),
        ("a.jsonl", "[1,0,1,24]\n[1,0,1]\n", ["line 2", "3 values"]),
        ("a.json", '[{"pclass": 1, "male": 0, "adult": 1, "age": 2, "sex": 1}]', ["'sex'"]),
        ("a.json", "[[1, 0, true, 24]]", ["Row 0", "'adult'"]),
        ("a.json", "{", ["not JSON"]),
        ("a.xml", "<a/>", ["cannot be read"]),
        ("a.parquet", "x", ["Parquet"]),
    ],
)
def test_what_is_wrong_is_placed_and_nothing_is_written(home, tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    output = tmp_path / "out.csv"
    answer = samovar(
        "predict", "titanic", tmp_path / name, "-o", output, "--json", code=2, SAMOVAR_HOME=home
    )
    assert all(one in answer.error["message"] for one in said), answer.error
    assert not output.exists()
    assert list(tmp_path.glob(".unfinished*")) == []


def test_a_null_where_none_may_be_names_its_row(home, tmp_path):
    parquet.write_table(
        arrow.table({"pclass": [1, None], "male": [0, 1], "adult": [1, 1], "age": [1.0, 2.0]}),
        tmp_path / "a.parquet",
    )
    answer = samovar(
        "predict", "titanic", tmp_path / "a.parquet", "--json", code=2, SAMOVAR_HOME=home
    )
    assert "Row 1" in answer.error["message"]
    assert "'pclass'" in answer.error["message"]


def test_many_batches_keep_their_order_and_number(home, answers, tmp_path):
    table = arrow.table(
        {name: [row[place] for row in ROWS] * 50_000 for place, name in enumerate(COLUMNS)}
    )
    parquet.write_table(table, tmp_path / "many.parquet", row_group_size=7001)
    samovar("predict", "titanic", tmp_path / "many.parquet", "-o", tmp_path / "out.parquet",
            SAMOVAR_HOME=home)  # fmt: skip
    assert (
        parquet.read_table(tmp_path / "out.parquet")["prediction"].to_pylist() == answers * 50_000
    )


def test_no_rows_give_no_predictions(home, tmp_path):
    (tmp_path / "none.csv").write_text("pclass,male,adult,age\n")
    document = samovar("predict", "titanic", tmp_path / "none.csv", "--json", SAMOVAR_HOME=home)
    assert document.json["predictions"] == []


def test_a_bare_model_file_wants_an_interpreter(home, tmp_path):
    source = write(tmp_path / "rows.json")
    project = copy_example(tmp_path / "web")
    answer = samovar("predict", project / "models/model.pkl", source, "--json", code=2)
    assert "--python" in answer.error["hint"]
    (python,) = (home / "envs").glob("*/bin/python")
    document = samovar(
        "predict", project / "models/model.pkl", source, "--python", python, "--json"
    )
    assert document.json["rows"] == 3


KEPT = {"id": ["007", "", None], "when": [1, None, 3]}


def with_kept(path: Path) -> Path:
    """Write the rows with two columns that are none of the model's."""
    table = arrow.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in ROWS])
    for name, values in KEPT.items():
        table = table.append_column(name, arrow.array(values))
    if path.suffix == ".csv":
        path.write_text('id,pclass,male,adult,age,when\n007,1,0,1,24,1\n"",3,1,1,,\n,2,1,0,8.5,3\n')
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    elif path.suffix == ".json":
        path.write_text(json.dumps(table.to_pylist()))
    elif path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with ipc.new_stream(path, table.schema) as file:
            file.write_table(table)
    return path


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "parquet", "arrow"])
def test_columns_of_the_input_are_kept(home, answers, tmp_path, ending):
    source, output = with_kept(tmp_path / f"rows.{ending}"), tmp_path / "out.parquet"
    samovar(
        "predict", "titanic", source, "-o", output, "--keep", "when", "--keep", "id",
        SAMOVAR_HOME=home,
    )  # fmt: skip
    found = parquet.read_table(output)
    assert found.column_names == ["when", "id", "prediction"]
    whens = ["1", None, "3"] if ending == "csv" else KEPT["when"]
    assert found["when"].to_pylist() == whens
    assert found["id"].to_pylist() == KEPT["id"]
    assert found["prediction"].to_pylist() == answers


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv"])
def test_kept_columns_are_written_as_text_too(home, answers, tmp_path, ending):
    source, output = with_kept(tmp_path / "rows.parquet"), tmp_path / f"out.{ending}"
    samovar("predict", "titanic", source, "-o", output, "--keep", "id", SAMOVAR_HOME=home)
    text = output.read_text()
    if ending == "csv":
        records = list(csv.DictReader(text.splitlines()))
        assert [row["id"] for row in records] == ["007", "", ""]
    else:
        lines = text.splitlines() if ending == "jsonl" else []
        records = [json.loads(line) for line in lines] or json.loads(text)
        assert [row["id"] for row in records] == KEPT["id"]
    assert [int(row["prediction"]) for row in records] == answers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "id"], "into a file"),
        (["-o", "out.csv", "--keep", "nobody"], "no column 'nobody'"),
        (["-o", "out.csv", "--keep", "id", "--keep", "id"], "twice"),
    ],
)
def test_what_cannot_be_kept_is_said(home, tmp_path, arguments, said):
    source = with_kept(tmp_path / "rows.csv")
    answer = samovar(
        "predict", "titanic", source, *arguments, "--json", code=2, cwd=tmp_path, SAMOVAR_HOME=home
    )
    assert said in answer.error["message"]
    assert not (tmp_path / "out.csv").exists()
