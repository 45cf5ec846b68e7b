"""The allowlist: exact names, exact uses, and what may never be trusted."""

from __future__ import annotations

import pytest

from samovar.core import allowlist
from samovar.core.allowlist import BUILD, CALL, GETATTR, NEW, REFERENCE, USES, Global, Policy
from samovar.errors import InvalidProject

NEVER = (
    "builtins.eval", "builtins.exec", "builtins.getattr", "builtins.open", "builtins.__import__",
    "builtins.compile", "os.system", "posix.system", "nt.system", "subprocess.Popen",
    "importlib.import_module", "operator.attrgetter", "_operator.methodcaller", "runpy.run_path",
    "pickle.loads", "numpy.load", "numpy.fromfile", "numpy.savetxt", "joblib.numpy_pickle.load",
    "pandas.read_pickle", "pandas.eval", "types.FunctionType", "functools.reduce", "io.open",
    "numpy.core._ufunc_reconstruct", "numpy._core._ufunc_reconstruct", "numpy.frompyfunc",
    "numpy.apply_along_axis", "sklearn.utils._testing.os.system", "joblib.memory.Memory",
)  # fmt: skip


def named(dotted: str) -> Global:
    module, _, name = dotted.rpartition(".")
    return Global(module, name)


@pytest.mark.parametrize("dotted", NEVER)
def test_what_calls_imports_or_opens_is_not_on_the_list(dotted: str) -> None:
    assert Policy().entry(named(dotted)) is None
    assert Policy().why_not(named(dotted), CALL) == "is not on the allowlist"


def test_a_name_is_allowed_for_its_uses_only() -> None:
    estimator = named("sklearn.linear_model._base.LinearRegression")
    assert Policy().why_not(estimator, NEW) is None
    assert Policy().why_not(estimator, BUILD) is None
    why = Policy().why_not(estimator, CALL)
    assert why is not None
    assert "may not be called" in why
    assert Policy().why_not(named("numpy.log1p"), REFERENCE) is None
    assert Policy().why_not(named("numpy.log1p"), CALL) is not None


def test_a_dotted_name_does_not_reach_through_a_module() -> None:
    assert Policy().entry(Global("sklearn.base", "os.system")) is None
    assert Policy().entry(Global("numpy", "core.multiarray._reconstruct")) is None


def test_trusted_names_are_exact_and_allowed_for_every_use() -> None:
    policy = Policy(["my_package.steps.Clip"])
    assert [policy.why_not(named("my_package.steps.Clip"), use) for use in USES] == [None] * 5
    assert policy.trusts(named("my_package.steps.Clip"))
    assert policy.entry(named("my_package.steps.Clipper")) is None
    assert policy.knows("my_package.steps.Clip")
    assert not policy.knows("my_package.steps.Other")


def test_main_is_never_trusted() -> None:
    policy = Policy(["__main__.Clip"])
    assert policy.entry(named("__main__.Clip")) is None
    assert not policy.trusts(named("__main__.Clip"))


@pytest.mark.parametrize(
    "dotted", ["os.system", "subprocess", "builtins.eval", "functools.partial"]
)
def test_what_runs_anything_cannot_be_trusted(dotted: str) -> None:
    with pytest.raises(InvalidProject, match="cannot be trusted"):
        Policy([dotted])


def test_names_of_python_2_are_those_of_python_3() -> None:
    assert str(Global.of_stream("__builtin__", "eval")) == "builtins.eval"
    assert str(Global.of_stream("copy_reg", "_reconstructor")) == "copyreg._reconstructor"
    assert str(Global.of_stream("__builtin__", "unicode")) == "builtins.str"
    assert str(Global.of_stream("os", "system")) == "os.system"


def test_every_entry_has_evidence_and_known_rules() -> None:
    from samovar.core.arguments import CALLS, STATES

    assert allowlist.version() >= 1
    document = allowlist._document()
    entries = [
        (f"{module}.{name}", fields)
        for module, names in document["modules"].items()
        for name, fields in names.items()
    ]
    assert len(entries) > 1000
    for name, fields in entries:
        assert set(fields["uses"].split()) <= set(USES), name
        assert fields["uses"], name
        assert fields["evidence"], name
        assert fields.get("rule") in {None, *CALLS}, name
        assert fields.get("state") in {None, *STATES}, name
    assert GETATTR not in dict(entries)


def test_everything_that_is_called_has_a_rule_or_is_a_container() -> None:
    document = allowlist._document()
    free = {
        f"{module}.{name}"
        for module, names in document["modules"].items()
        for name, fields in names.items()
        if "call" in fields["uses"].split() and "rule" not in fields
    }
    assert free == {
        "collections.defaultdict", "collections.deque", "pandas.StringDtype",
        "pandas.core.arrays.string_.StringDtype",
    }  # fmt: skip
