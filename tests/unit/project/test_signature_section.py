from pathlib import Path

import pytest

from samovar.errors import InvalidInput, InvalidProject
from samovar.project.config import parse_project
from samovar.project.examples import Examples

HEAD = '[project]\nname = "x"\npython = "3.11"\n'
GOOD = """
[signature]
names = ["age", "a.b"]
[signature.columns.age]
dtype = "Int64"
nullable = true
[signature.columns."a.b"]
dtype = "category"
categories = ["low", "high", 3, true]
ordered = true
"""


def parse(text: str):
    return parse_project(HEAD + text, Path("/somewhere"))


def test_the_section_is_read():
    section = parse(GOOD).signature
    assert section.names == ("age", "a.b")
    assert section.columns["age"] == {"dtype": "Int64", "nullable": True}
    assert section.columns["a.b"]["categories"] == ["low", "high", 3, True]
    assert parse("").signature.columns == {}


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("signature = 1\n" + HEAD, None, "is not a section", ""),
        ("[signature]\nname = []", 5, "signature.name is not a key", "'names'"),
        ("[signature]\nnames = [1]", 5, "not a list of strings", ""),
        ('[signature]\nnames = ["a", "a"]', 5, "has 'a' twice", ""),
        ("[signature]\ncolumns = 1", 5, "not a section of columns", ""),
        ("[signature.columns]\nage = 1", 5, "signature.columns.age is not a section", ""),
        ("[signature.columns.age]\ndtyp = 1", 5, "age.dtyp is not a key", "'dtype'"),
        ('[signature.columns.age]\ndtype = "int6"', 5, "'int6' is no type", "'int64'"),
        ("[signature.columns.age]\ndtype = 3", 5, "3 is no type", ""),
        ("[signature.columns.age]\nnullable = 1", 5, "neither true nor false", ""),
        ("[signature.columns.age]\ncategories = []", 5, "not a list of strings", ""),
        ("[signature.columns.age]\ncategories = [nan]", 5, "not a list of strings", ""),
        ("[signature.columns.age]\ncategories = [1, 1]", 5, "one of them twice", ""),
        ("[signature.columns.age]\ntimezone = 1", 5, "timezone is not a string", ""),
        ('[signature.columns.age]\ndtype = "bool"\nordered = true', 6, "ordered belongs to", ""),
        ('[signature.columns]\nage = { dtyp = "x" }', 5, "age.dtyp is not a key", "'dtype'"),
        ('[signature.columns."a b"]\ndtyp = "x"', 5, "a b.dtyp is not a key", "'dtype'"),
        ('[signature]\nnames = ["age"]\n[signature.columns.agge]', 6, "not in signature.names",
         "'age'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text, line, said, hint):
    with pytest.raises(InvalidProject) as caught:
        parse_project(text, Path("/x")) if line is None else parse(text)
    assert said in str(caught.value)
    assert line is None or f"line {line}:" in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_rows_get_names_or_their_order():
    section = parse('[signature]\nnames = ["b", "a"]').signature
    unnamed = section.arrange(Examples(columns=None, rows=([1, 2],)))
    assert (unnamed.columns, unnamed.rows) == (("b", "a"), ([1, 2],))
    types = ({"name": "a", "dtype": "int8"}, "b")
    named = section.arrange(Examples(columns=("a", "b"), rows=([1, 2], [3, 4]), types=types))
    assert (named.columns, named.rows) == (("b", "a"), ([2, 1], [4, 3]))
    assert named.types == ("b", {"name": "a", "dtype": "int8"})
    texts = Examples(columns=None, rows=("one text",))
    assert section.arrange(texts) is texts


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        (Examples(columns=None, rows=([1, 2, 3],)), "names 2 columns; a row has 3"),
        (Examples(columns=("a", "c"), rows=([1, 2],)), "'b': the examples have no such column"),
        (Examples(columns=("a", "b", "c"), rows=([1, 2, 3],)), "'c': it is left out"),
    ],
)
def test_names_that_are_not_the_examples_are_refused(examples, said):
    with pytest.raises(InvalidInput, match=said):
        parse('[signature]\nnames = ["b", "a"]').signature.arrange(examples)
