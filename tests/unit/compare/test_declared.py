"""What a library declares of its changes is read from its source, for what a project uses of it."""

from __future__ import annotations

import textwrap

import pytest

from samovar.compare.declared import STRONG, declared_changes, weight_of
from samovar.compare.definitions import Definition, find_definitions
from samovar.compare.usage import Usage

USING = b"""
import numpy as np
import lib.parts as parts
from lib.cluster import KMeans as Grouping, gone
model = Grouping(n_clusters=3).fit(table)
frame = parts.dummies(table, columns=["a"])
frame.append(other).fillna(0)
parts.dummies(table, columns=["b"], sparse=True)
"""
BEFORE = '''
class KMeans:
    """Group.

    Parameters
    ----------
    tol : float, default=1e-4
        Enough.
    """
    def __init__(self, n_clusters=8, *, n_init=10, tol=1e-4):
        if n_init == 10:
            warnings.warn("The default of `n_init` will "
                          "change from 10 to 'auto'.", FutureWarning)
    def fit(self, X): ...

def gone(x): ...

def dummies(
    data, columns=None, sparse=False, dtype: None = None,
) -> None:
    """Make columns.

    dtype : dtype, default np.uint8
        Of the columns.
    """

class Frame:
    def append(self, other): ...
    def fillna(self, value=None, downcast=None): ...
'''
AFTER = '''
class KMeans:
    """Group.

    Parameters
    ----------
    tol : float, default=1e-4
        Enough.

        .. versionchanged:: 1.4
           Something else
           now.
    """
    def __init__(self, n_clusters=8, *, n_init="auto", tol=1e-4):
        pass
    def fit(self, X): ...

def dummies(
    data, columns=None, sparse=False, dtype: None = None,
) -> None:
    """Make columns.

    dtype : dtype, default bool
        Of the columns.
    """

class Frame:
    def fillna(self, value=None, downcast=None):
        """Fill.

        .. deprecated:: 0.9
           Long ago.
        """
'''


def between(before: str, after: str, using: bytes = USING) -> list[str]:
    usage = Usage.of([using])
    direct = usage.of_library(["lib"])
    one, other = (
        find_definitions([textwrap.dedent(text).encode()], direct, usage.methods)
        for text in (before, after)
    )
    return [str(one) for one in declared_changes(one, other, ("1.3", "1.4.2"), direct, usage.given)]


def test_removed_names_changed_defaults_and_directives_are_named():
    assert between(BEFORE, AFTER) == [
        "KMeans: the default of n_init went from 10 to 'auto'",
        "dummies: the default of dtype went from np.uint8 to bool",
        "gone: is not in 1.4.2",
        "KMeans: versionchanged in 1.4: Something else now.",
        "KMeans: 1.3 warned: The default of `n_init` will change from 10 to 'auto'.",
    ]


def test_what_the_code_gives_itself_does_not_count():
    using = b"from lib import KMeans\nKMeans(n_init=3)\n"
    assert not [one for one in between(BEFORE, AFTER, using) if "default of" in one]


def test_names_of_other_libraries_are_not_looked_for():
    assert between(BEFORE, AFTER, b"import lib\nfrom other import gone\ngone(1)\n") == []


def test_a_parameter_that_is_given_and_not_taken_any_more_is_named():
    using = b"import lib\nlib.f(old=1)\n"
    assert between("def f(old=1): ...", "def f(new=1): ...", using) == ["f: takes no old any more"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(x=None): ...", "def f(x=lib.no_default): ..."),
        ("def f(x=1): ...", "def f(x = 1):\n    return 2"),
        ("def f(x: int = 1): ...", "def f(x: str = 1): ..."),
    ],
)
def test_what_changes_no_default_is_not_told(before: str, after: str):
    assert between(before, after, b"import lib\nlib.f()\n") == []


@pytest.mark.parametrize(
    "source",
    [b"def f(", b"\xff\xfe", b"class f: pass\ndef g(): pass", b"if 1:\n    def f(x=1): ...", b""],
)
def test_source_that_cannot_be_read_declares_nothing(source: bytes):
    found = find_definitions([source], frozenset({"f"}), frozenset())
    assert all(one.defaults == {} for one in found.values())


def test_a_method_that_every_class_has_says_nothing():
    source = "".join(f"class C{n}:\n    def fit(self, x={n}): ...\n" for n in range(20))
    assert find_definitions([source.encode()], frozenset(), frozenset({"fit"})) == {}
    assert find_definitions([source.encode()], frozenset({"C3"}), frozenset({"fit"}))[
        "C3", "fit"
    ].defaults == {"self": "", "x": "3"}


def test_a_definition_is_stored_and_read():
    found = find_definitions([AFTER.encode()], frozenset({"KMeans"}), frozenset())
    definition = found["", "KMeans"]
    assert Definition.from_json(definition.to_json()) == definition


def test_a_default_weighs_enough_for_a_guess_and_a_deprecation_does_not():
    usage = Usage.of([b"import lib\nlib.f()\n"])
    direct = usage.of_library(["lib"])

    def weight(before: str, after: str) -> float:
        one, other = (
            find_definitions([text.encode()], direct, frozenset()) for text in (before, after)
        )
        return weight_of(declared_changes(one, other, ("1", "2"), direct, {}))

    assert weight("def f(x=1): ...", "def f(x=2): ...") >= STRONG
    deprecated = 'def f(x=1):\n    """F.\n\n    .. deprecated:: 2.0\n    """'
    assert 0 < weight("def f(x=1): ...", deprecated) < STRONG
    assert weight("def f(x=1): ...", "def f(x=1): ...") == 0


@pytest.mark.parametrize(
    "body",
    [
        "\n" * 150_000,
        "x : a, " + "default " * 20_000 + ",",
        "\n".join(f".. versionchanged:: 2.{n}" for n in range(5_000)),
        "x : int, default" + " " * 100_000,
    ],
    ids=["newlines", "one long line", "directives", "spaces"],
)
def test_a_hostile_docstring_is_read_in_time(body: str):
    indented = textwrap.indent(body, "    ")
    source = f'def f(x=1):\n    """F.\n{indented}\n    """\n'
    assert find_definitions([source.encode()], frozenset({"f"}), frozenset())


def test_many_hostile_definitions_are_read_in_time():
    source = "".join(f"class C{n}:\n    def f(self): ...\n" for n in range(30_000)).encode()
    assert len(find_definitions([source], frozenset(), frozenset({"f"}))) == 0
    deep = b"def f(x=" + b"-" * 5_000 + b"1): ...\ndef g(x=" + b"(" * 500 + b")" * 500 + b"): ..."
    assert ("", "h") not in find_definitions([deep], frozenset({"f", "g"}), frozenset())


def test_what_a_terminal_would_obey_is_taken_out():
    before = 'def f(x=1):\n    """F."""\n'
    after = 'def f(x=1):\n    """F.\n\n    .. versionchanged:: 1.4\n       red \x1b[31m\x07 now\n    """\n'
    (told,) = between(before, after, b"import lib\nlib.f()\n")
    assert told == "f: versionchanged in 1.4: red [31m now"
