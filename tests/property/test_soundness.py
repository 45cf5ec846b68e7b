"""What the audit accepts, no unpickler uses otherwise than the list allows; the loader agrees.

Programs are put together from listed and hostile names in every position, and carried out with
stand-ins (``tests/sentinels.py``) by CPython's unpicklers, which ask nobody, and by the loader.
"""

from __future__ import annotations

import io
import os
import pickle
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from samovar.core import allowlist
from samovar.core.allowlist import REFERENCE, Global, Policy
from samovar.errors import InvalidModel, Refused, SamovarError
from samovar.model.findings import Log
from samovar.model.source import Source
from samovar.model.streams import read_streams
from samovar.runtime import unpickle
from samovar.runtime.bounded import BoundedFile
from sentinels import Acts
from streams import (
    ARRAY,
    BUILD,
    CALL,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_SET,
    EMPTY_TUPLE,
    FALSE,
    MARK,
    MEMOIZE,
    NEW,
    NEW_EX,
    NONE,
    TRUE,
    array,
    call,
    dtype,
    name,
    number,
    pack,
    raw,
    settled,
    stream,
    text,
)

if TYPE_CHECKING:
    import pytest

EXAMPLES = int(os.environ.get("SAMOVAR_EXAMPLES", "300"))

LISTED = [
    "sklearn.linear_model._base.LinearRegression", "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._function_transformer.FunctionTransformer", "numpy.dtype",
    "numpy.ndarray", "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer", "numpy.log1p", "numpy.float64", "numpy.memmap",
    "numpy.ma.core._mareconstruct", "numpy.ma.core.MaskedArray", "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor", "collections.OrderedDict", "collections.defaultdict",
    "collections.deque", "collections.Counter", "copyreg._reconstructor", "builtins.object",
    "builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.int", "builtins.slice",
    "functools.partial", "sklearn.utils.validation.check_array", "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch", "scipy.stats._continuous_distns.norm_gen", "_codecs.encode",
    "sklearn.impute._iterative._ImputerTriplet", "uuid.UUID", "pandas.core.indexes.base._new_Index",
    "pandas.core.indexes.base.Index", "datetime.datetime", "decimal.Decimal", "xgboost.core.Booster",
    "sklearn.metrics._dist_metrics.newObj", "scipy.interpolate._interpolate.interp1d",
    "joblib.numpy_pickle.NumpyArrayWrapper", "pyarrow.lib._restore_array",
]  # fmt: skip
HOSTILE = [
    "os.system", "builtins.eval", "builtins.getattr", "operator.attrgetter", "subprocess.Popen",
    "sklearn.base.os.system", "numpy.load", "joblib.numpy_pickle.load", "pickle.loads",
    "builtins.__import__", "functools.reduce", "types.FunctionType", "sklearn.base.BaseEstimator.__init__",
    "__main__.Model", "numpy.vectorize", "sklearn.metrics._scorer.make_scorer", "copyreg.__newobj__",
]  # fmt: skip
POLICY = Policy()


def for_use(use: str) -> Any:
    """Draw names that are listed for a use; now and then any name."""
    listed = []
    for dotted in LISTED:
        module, _, last = dotted.rpartition(".")
        if POLICY.why_not(Global(module, last), use) is None:
            listed.append(dotted)
    return st.sampled_from([*listed * 4, *LISTED, *HOSTILE]).map(name)


CALLED, MADE, KEPT = for_use(allowlist.CALL), for_use(allowlist.NEW), for_use(REFERENCE)
FILLED = st.sampled_from(
    [
        call("collections.OrderedDict"), call("collections.deque"), EMPTY_LIST, EMPTY_SET,
        call("collections.defaultdict", name("builtins.int")), EMPTY_DICT,
        name("sklearn.utils._bunch.Bunch") + EMPTY_TUPLE + NEW,
    ]
)  # fmt: skip
HONEST = st.sampled_from(
    [
        ARRAY, array(settled("f8"), bytes(8)), call("builtins.slice", NONE, number(1), NONE),
        call("numpy._core.multiarray.scalar", settled("f8"), raw(bytes(8))),
        call("copyreg._reconstructor", name("collections.OrderedDict"), name("builtins.dict"), EMPTY_DICT),
        call("functools.partial", name("sklearn.utils.validation.check_array")),
        call("_codecs.encode", text("a"), text("latin1")), name("numpy.log1p"),
        name("sklearn.linear_model._base.LinearRegression") + EMPTY_TUPLE + NEW,
    ]
)  # fmt: skip
CONSTANTS = st.sampled_from(
    [
        NONE, TRUE, FALSE, number(0), number(3), text("a"), text("os"), text("latin1"), text("f8"),
        text("__class__"), text("__setstate__"), text("predict"), text("_parse_arg_template"),
        raw(b"abc"), EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT, EMPTY_SET, dtype("f8"),
        settled("f8"), settled("O8", flags=63), pack(number(0)), text("C"),
    ]
)  # fmt: skip
RECALL = st.sampled_from([b"h" + bytes([at]) for at in range(4)])


def _grown(inner: Any) -> Any:
    several = st.lists(inner, max_size=4)
    args = several.map(lambda items: pack(*items))
    state = args | inner | st.lists(st.tuples(CONSTANTS, inner), max_size=3).map(_table)
    pairs = st.lists(st.tuples(CONSTANTS, inner), max_size=3).map(_table)
    return st.one_of(
        args,
        several.map(lambda items: EMPTY_LIST + MARK + b"".join(items) + b"e"),
        several.map(lambda items: EMPTY_SET + MARK + b"".join(items) + b"\x90"),
        several.map(lambda items: MARK + b"".join(items) + b"\x91"),
        pairs,
        together(CALLED, args, st.just(CALL)),
        together(inner, args, st.just(CALL)),
        together(st.just(MARK), CALLED, several.map(b"".join), st.just(b"o")),
        together(MADE, st.just(EMPTY_TUPLE + NEW)),
        together(MADE, args, st.just(NEW)),
        together(MADE, args, inner, st.just(NEW_EX)),
        together(inner, state, st.just(BUILD)),
        together(MADE, st.just(EMPTY_TUPLE + NEW), pairs, st.just(BUILD)),
        together(MADE, st.just(EMPTY_TUPLE + NEW + MEMOIZE), pairs, st.just(BUILD)),
        together(FILLED | inner, inner, st.just(b"a")),
        together(FILLED | inner, inner, inner, st.just(b"s")),
        together(inner, st.just(MEMOIZE)),
        together(inner, st.just(b"2" + EMPTY_DICT + BUILD)),
        together(inner, inner, st.just(b"0")),
    )


def together(*parts: Any) -> Any:
    return st.tuples(*parts).map(b"".join)


def _table(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return EMPTY_DICT + MARK + b"".join(key + value for key, value in pairs) + b"u"


VALUES = st.recursive(HONEST | KEPT | CONSTANTS | RECALL, _grown, max_leaves=12)
MODULES_BY_PARTS = st.sampled_from(
    [b"cos\nsystem\n", b"(ios\nsystem\n", b"\x82\x01", b"Pa\n", b"\x97", text("os") + text("system") + b"\x93"]
)  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> bytes:
    """Draw a whole stream; now and then another opcode stands somewhere in it."""
    made = draw(VALUES)
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(made)))
        made = made[:at] + draw(MODULES_BY_PARTS | st.binary(max_size=3)) + made[at:]
    return stream(number(7) + MEMOIZE + b"0" + made)


def audited(content: bytes) -> tuple[bool, Log]:
    log = Log()
    source = Source(io.BufferedReader(io.BytesIO(content)), len(content))  # type: ignore[arg-type] # BytesIO is raw enough
    try:
        read_streams(source, Policy(), log, plain=True)
    except InvalidModel:
        return False, log
    return log.findings() == (), log


def unpickled(content: bytes, base: Any) -> tuple[Acts, Any]:
    """Carry a stream out as CPython does, with stand-ins for all that it names."""
    acts = Acts(Policy())

    class Unpickler(base):  # type: ignore[misc] # one of two
        def find_class(self, module: str, attribute: str) -> Any:
            return acts.resolve(Global.of_stream(module, attribute))

        def persistent_load(self, pid: Any) -> Any:
            acts.done.append(("call", "a persistent id"))
            return pid

    try:
        return acts, Unpickler(io.BytesIO(content)).load()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong: what was done before counts
        return acts, type(error).__name__


@given(programs())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_accepted_does_only_what_is_allowed(content: bytes) -> None:
    ok, log = audited(content)
    event(f"accepted: {ok}")
    if not ok:
        return
    for base in (pickle.Unpickler, pickle._Unpickler):  # type: ignore[attr-defined] # the one in Python
        acts, value = unpickled(content, base)
        assert acts.violations() == []
        assert acts.named <= set(log.globals())
        assert {kept for kept in acts.kept(value) if not acts.allows(kept, REFERENCE)} == set()


@given(programs())
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_the_loader_does_only_what_is_allowed_and_agrees(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "model.pkl"
    path.write_bytes(content)
    acts = Acts(Policy())
    monkeypatch.setattr(unpickle, "_resolve", acts.resolve)
    refused = False
    value = None
    try:
        with BoundedFile(path) as file:
            value = unpickle.AllowedUnpickler(file, Policy(), with_arrays=False).load()
    except Refused:
        refused = True
    except (
        SamovarError,
        pickle.UnpicklingError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
    ):
        value = None
    assert acts.violations() == []
    assert {kept for kept in acts.kept(value) if not acts.allows(kept, REFERENCE)} == set()
    ok, log = audited(content)
    assert not (ok and refused), log.globals()
