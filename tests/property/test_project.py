"""Whatever stands in a project's files, it is read or refused with a reason: never a traceback."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from hypothesis import example, given
from hypothesis import strategies as st

from samovar.errors import InvalidInput, InvalidProject, UserError
from samovar.project.config import check_sections, parse_project
from samovar.project.examples import read_examples
from samovar.project.find import Training
from samovar.project.gitignore import is_ignored, parse_rules
from samovar.project.posted import find_posted, rows_of
from samovar.project.sources import read_sources
from samovar.project.syntax import Module, UnreadableSourceError
from samovar.project.write import Answers, render

if TYPE_CHECKING:
    from collections.abc import Callable

SECTIONS = ["project", "model", "examples", "service", "environment", "train", "modle"]
KEYS = ["name", "python", "path", "method", "app", "code", "requirements", "platforms", "command"]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
toml_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
documents = st.dictionaries(
    st.sampled_from(SECTIONS),
    toml_values | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), toml_values),
)
rows = st.lists(st.lists(st.integers() | st.floats() | st.text(max_size=5), max_size=3), max_size=3)


def result_of(read: Callable[[], Any]) -> Any:
    """Give what reading gives, or the error that a user is told."""
    try:
        return read()
    except UserError as error:
        return error


@given(documents.map(tomli_w.dumps) | st.text())
@example("[project]\nname = 'a'\nname = 'b'\n")
@example("a = " + "[" * 5000)
@example("project.name = 'x'\n[project]\npython = '3.11'\n")
def test_a_project_file_is_read_or_refused(text):
    outcome = result_of(lambda: parse_project(text, Path("/somewhere")))
    assert not isinstance(outcome, InvalidProject) or outcome.hint


@given(documents.map(tomli_w.dumps), st.sampled_from(["\n", "\r\n"]))
def test_what_stands_in_a_project_file_stays(text, ending):
    text = text.replace("\n", ending)
    try:
        before = check_sections(text)
        answers = Answers(
            name="n", version="1", python="3.11", model="m.pkl", app=None, message=None,
            requirements=("a==1",), examples=None, training=Training(),
        )  # fmt: skip
        completed = render(text, answers, asked_for=frozenset())
    except InvalidProject:
        return
    after = check_sections(completed)
    for section, values in before.items():
        assert {key: after[section][key] for key in values} == values


@given(st.text(alphabet='ab,"\n\r\u2028\x0b1.\0é', max_size=40))
def test_csv_is_read_as_it_was_written_or_refused(text):
    examples = result_of(lambda: read_csv(text.encode()))
    if isinstance(examples, InvalidInput):
        assert "a.csv" in examples.message
        return
    for row in examples.rows:
        assert len(row) == len(examples.columns)


# A letter in front keeps a cell from being a number, or empty.
cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8).map("x".__add__)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=4))
def test_texts_survive_csv(table):
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["a", "b"], *table])
    assert list(read_csv(written.getvalue().encode()).rows) == table


def read_csv(data: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(data)
        return read_examples(path)


@given(st.recursive(scalars, lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_json_rows_are_read_or_refused(document):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_text(json.dumps(document))
        examples = result_of(lambda: read_examples(path))
        if isinstance(examples, InvalidInput):
            assert "a.json" in examples.message
            return
        json.dumps(examples.rows, ensure_ascii=False, allow_nan=False).encode("utf-8")


@given(rows)
def test_posted_rows_are_written_as_json_of_one_width(bodies):
    found = rows_of(bodies, texts=False)
    json.dumps(found, allow_nan=False)
    assert len({len(row) for row in found if isinstance(row, list)}) <= 1


@given(rows)
def test_literals_are_found_in_a_client(bodies):
    source = "\n".join(f"requests.post(url, json={body!r})" for body in bodies)
    try:
        module = Module("client", source.encode("utf-8", "surrogatepass"))
    except UnreadableSourceError:
        return
    assert len(list(find_posted(module))) <= len(bodies)


@given(st.binary(max_size=60) | st.text(alphabet="()[]{}=+-*/.,'\"f \nabx1@:\\", max_size=60))
def test_any_file_is_python_or_told_of(data):
    data = data.encode() if isinstance(data, str) else data
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.py", "b.ipynb"):
            Path(folder, name).write_bytes(data)
        sources = read_sources(Path(folder), ["a.py", "b.ipynb"])
        assert all(told.startswith(("a.py: ", "b.ipynb: ")) for told in sources.unreadable)


@given(st.text(), st.text(alphabet="ab/.*?[]!\\ ", max_size=12))
def test_any_line_of_gitignore_is_understood_or_matches_nothing(path, line):
    assert is_ignored(path, parse_rules(line)) in {True, False}
