from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from samovar.compare.blend import blend
from samovar.compare.code import apply_hunks, hunks_between, is_same_program
from samovar.compare.diff import difference, tell
from samovar.compare.factors import Factor, factors_between
from samovar.compare.facts import Facts, facts_of_run
from samovar.compare.rank import Hints, imported_distributions, in_row, weigh
from samovar.compare.runner import Mixture
from samovar.core.digest import Digest
from samovar.core.run import RunFile, RunRecord

STORED: dict[Digest, bytes] = {}


def file(path: str, data: bytes, **more: Any) -> RunFile:
    digest = Digest.of(data)
    STORED[digest] = data
    return RunFile(path=path, digest=digest, size_bytes=len(data), **more)


def read(one: RunFile) -> bytes | None:
    return STORED.get(one.digest)


def code(data: bytes, path: str = "train.py") -> dict[str, RunFile]:
    return {path: file(path, data)}


def names(a: Facts, b: Facts) -> list[str]:
    return [factor.name for factor in factors_between(a, b, read, read)]


BARE = Facts(python="3.11.9")


def test_every_kind_of_difference_has_its_name() -> None:
    a = Facts(
        python="3.11.9",
        packages={"numpy": "1.26.4", "six": "1.16.0"},
        params={"model": {"depth": 3}, "seed": 0},
        code=code(b"x = 1\n"),
        data={"data/t.csv": file("data/t.csv", b"a\n1\n")},
        models={"m.pkl": file("m.pkl", b"1")},
        env={"TZ": "UTC", "LANG": None},
        machine={"threads": 1, "cpu": "x", "architecture": "x86_64", "system": "Linux"},
        command="python train.py",
    )
    b = Facts(
        python="3.12.1",
        packages={"numpy": "2.0.0", "pytz": "2024.1"},
        params={"model": {"depth": 4}, "seed": 0, "new": None},
        code={**code(b"x = 2\n"), **code(b"", "more.py")},
        data={"data/t.csv": file("data/t.csv", b"a\n2\n")},
        models={"m.pkl": file("m.pkl", b"2")},
        env={"TZ": "Asia/Tokyo", "LANG": None},
        machine={"threads": 2, "cpu": "y", "architecture": "x86_64", "system": "Darwin"},
        command="python train.py --fast",
    )
    assert names(a, b) == [
        "python", "package:numpy", "package:pytz", "package:six", "param:model.depth", "param:new",
        "code:more.py", "code:train.py", "data:data/t.csv", "model:m.pkl", "env:TZ",
        "machine:threads", "machine:cpu", "machine:system", "command",
    ]  # fmt: skip
    assert names(a, a) == []


def test_a_value_that_is_absent_is_null() -> None:
    (added,) = factors_between(BARE, replace(BARE, packages={"six": "1.16.0"}))
    assert (added.a, added.b) == (None, "1.16.0")


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0, False), ("1", 1)])
def test_equal_values_of_other_types_are_factors(one: Any, other: Any) -> None:
    assert names(replace(BARE, params={"p": one}), replace(BARE, params={"p": other})) == [
        "param:p"
    ]


def test_threads_and_kernels_are_facts_of_the_machine_however_they_were_asked_for() -> None:
    one = replace(BARE, env={"OMP_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"})
    other = replace(BARE, env={"OMP_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "SkylakeX"})
    assert names(one, other) == ["machine:threads", "machine:cpu"]


def test_the_parameters_file_is_no_code_and_no_data() -> None:
    record = RunRecord(
        project="p", command="python train.py", python="3.11.9", lock=None, packages={},
        code=(file("train.py", b""), file("params.json", b"{}")), params_path="params.json",
    )  # fmt: skip
    assert list(facts_of_run(record).code) == ["train.py"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"x = 1\n", b"x  =  1  # one\n", True),
        (b"x = 1\n", b"'''Say what it is.'''\nx = 1\n", True),
        (b"def f():\n    return 1\n", b"def f():\n    'Doc.'\n    return 1\n", True),
        (b"def f():\n    'Doc.'\n", b"def f():\n    pass\n", True),
        (b"'A'\nprint(__doc__)\n", b"'B'\nprint(__doc__)\n", False),
        (b"x = 'a'\n", b"x = 'b'\n", False),
        (b"x = 1\n", b"x = 1.0\n", False),
        (b"x = [1,\n 2]\n", b"x = [1, 2]\n", True),
        (b"x = (\n", b"x = ((\n", False),
    ],
)
def test_programs_are_compared_by_what_they_do(one: bytes, other: bytes, same: bool) -> None:
    assert is_same_program("train.py", one, other) is same


def test_other_files_are_compared_by_their_bytes() -> None:
    assert not is_same_program("train.sh", b"echo 1 # x\n", b"echo 1 # y\n")


def test_hunks_joined_give_b() -> None:
    one, other = b"a = 1\nb = 2\nc = 3\n", b"a = 1\nb = 4\nz = 0\nc = 3\nd = 5\n"
    cut = hunks_between("train.py", one, other)
    assert cut is not None
    lines, hunks = cut
    assert [hunk.shown for hunk in hunks] == ["2", "3"]
    assert apply_hunks(lines, hunks) == other
    assert apply_hunks(lines, []) == one
    assert hunks_between("x.py", b"\xff", b"") is None


def test_a_blend_takes_from_b_what_is_named_and_nothing_else() -> None:
    a = Facts(
        python="3.11.9",
        packages={"numpy": "1.26.4", "six": "1.16.0"},
        params={"model": {"depth": 3, "loss": "l2"}, "seed": 0},
        code=code(b"x = 1\n"),
        env={"TZ": "UTC", "OMP_NUM_THREADS": "1"},
        command="python train.py",
    )
    b = Facts(
        python="3.12.1",
        packages={"numpy": "2.0.0"},
        params={"model": {"depth": 4, "loss": "l1"}, "seed": 1},
        code=code(b"x = 2\n"),
        env={"TZ": "Asia/Tokyo", "OMP_NUM_THREADS": "2"},
        command="python train.py",
        numerics="x86-64-v3",
    )
    taken = {"package:numpy", "package:six", "param:model.depth", "env:TZ", "machine:threads"}
    mixed = blend(a, b, Mixture(taken=frozenset(taken)))
    assert mixed.packages == {"numpy": "2.0.0"}
    assert mixed.params == {"model": {"depth": 4, "loss": "l2"}, "seed": 0}
    assert mixed.env == {"TZ": "Asia/Tokyo", "OMP_NUM_THREADS": "2"}
    assert (mixed.threads, mixed.python, mixed.numerics) == (2, "3.11.9", "native")
    assert mixed.code == a.code
    everything = frozenset(factor.name for factor in factors_between(a, b))
    whole = blend(a, b, Mixture(taken=everything))
    assert (whole.packages, whole.params, whole.code) == (b.packages, b.params, b.code)
    assert (whole.env, whole.python, whole.numerics) == (b.env, b.python, b.numerics)


def test_a_blend_has_files_and_versions_of_neither_side() -> None:
    a, b = replace(BARE, code=code(b"1")), replace(BARE, code=code(b"2"))
    mixture = Mixture(
        taken=frozenset(), files={"train.py": b"12", "x": b""}, packages={"pandas": "2.0"}
    )
    mixed = blend(a, b, mixture)
    assert mixed.code == {"train.py": b"12"}
    assert mixed.packages == {"pandas": "2.0"}


def test_a_group_of_parameters_may_take_the_place_of_a_value() -> None:
    a, b = replace(BARE, params={"m": 1}), replace(BARE, params={"m": {"x": 2}})
    assert names(a, b) == ["param:m", "param:m.x"]
    assert blend(a, b, Mixture(taken=frozenset({"param:m.x"}))).params == {"m": {"x": 2}}
    assert blend(a, b, Mixture(taken=frozenset({"param:m"}))).params == {}
    assert blend(a, b, Mixture(taken=frozenset(names(a, b)))).params == b.params


def test_the_same_mixture_has_the_same_key() -> None:
    one = Mixture(taken=frozenset({"a", "b"}), files={"x": b"1"})
    assert one.key == Mixture(taken=frozenset({"b", "a"}), files={"x": b"1"}).key
    assert one.key != Mixture(taken=frozenset({"a", "b"}), files={"x": b"2"}).key


def test_what_the_code_imports_is_tried_first() -> None:
    imported = imported_distributions([b"import sklearn.linear_model\nfrom . import x\n", b"(("])
    assert imported == {"scikit-learn"}
    factors = [
        Factor(name="package:six", a="1.15.0", b="1.16.0"),
        Factor(name="package:scikit-learn", a="1.3.2", b="1.4.2"),
        Factor(name="machine:threads", a=1, b=2),
        Factor(name="data:t.csv", a="x", b="y"),
    ]
    row = in_row(weigh(factors, Hints(imported=imported)))
    assert row == ["data:t.csv", "package:scikit-learn", "machine:threads", "package:six"]


def test_a_difference_sums_tables_up_and_shows_hunks() -> None:
    a = replace(
        BARE, code=code(b"x = 1\ny = 1\n"), data={"t.csv": file("t.csv", b"k,v\n1,2\n3,4\n")}
    )
    b = replace(
        BARE, code=code(b"x = 2\ny = 1\n"), data={"t.csv": file("t.csv", b"k,v\n3,4.5\n1,2\n")}
    )
    found = {factor.name: factor for factor in difference(a, b, read, read)}
    assert found["code:train.py"].detail["hunks"] == [{"lines": "1", "a": "x = 1", "b": "x = 2"}]
    table = found["data:t.csv"].detail
    assert (table["reordered"], table["rows_changed"]) == (True, 1)
    assert table["dtypes"] == [{"column": "v", "a": "int", "b": "float"}]
    assert tell(found["data:t.csv"]) == (
        "rows in another order; v is float, was int; 1 rows with other values"
    )


def test_large_data_is_compared_by_its_pieces() -> None:
    pieces = [Digest.of(bytes([number])) for number in range(5)]
    one = RunFile(path="t.csv", digest=pieces[0], size_bytes=10**10, chunks=tuple(pieces[:4]))
    other = RunFile(path="t.csv", digest=pieces[1], size_bytes=10**10, chunks=tuple(pieces[1:]))

    def refuse(_file: RunFile) -> bytes | None:
        raise AssertionError("nothing so large is read")

    a, b = replace(BARE, data={"t.csv": one}), replace(BARE, data={"t.csv": other})
    (factor,) = difference(a, b, refuse, refuse)
    assert factor.detail["pieces"] == {"a": 4, "b": 4, "shared": 3}
    assert "3 of 4 pieces the same" in tell(factor)
