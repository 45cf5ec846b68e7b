"""What the arguments and states of allowed names may be: the audit and the loader agree."""

from __future__ import annotations

from pickle import UnpicklingError
from typing import TYPE_CHECKING

import pytest

from samovar.errors import SamovarError
from samovar.model.audit import audit_file
from samovar.runtime.loading import load_stream
from streams import (
    ADDITEMS,
    APPEND,
    APPENDS,
    ARRAY,
    BUILD,
    CALL,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_SET,
    EMPTY_TUPLE,
    ESTIMATOR,
    FALSE,
    MARK,
    MEMOIZE,
    NEW,
    NEW_EX,
    NONE,
    SETITEM,
    TRUE,
    TUPLE1,
    TUPLE2,
    array,
    call,
    dtype,
    made,
    name,
    number,
    pack,
    raw,
    settled,
    stream,
    table,
    text,
)

if TYPE_CHECKING:
    from pathlib import Path

DTYPE_STATE = (number(3), text("<"), NONE, NONE, NONE, number(-1), number(-1), number(0))
PARSER = (
    "\ndef _parse_args(self, {0} loc=0, scale=1):\n    return ({0}), loc, scale\n\n"
    "def _parse_args_rvs(self, {0} loc=0, scale=1, size=None):\n"
    "    return self._argcheck_rvs({0} loc, scale, size=size)\n\n"
    "def _parse_args_stats(self, {0} loc=0, scale=1, moments='mv'):\n"
    "    return ({0}), loc, scale, moments\n"
)
NORM = "scipy.stats._continuous_distns.norm_gen"
ARROW = "pyarrow.lib._restore_array"
RANDOM = "numpy.random._pickle.__randomstate_ctor"
MAKER = "numpy.random._pickle.__bit_generator_ctor"
LAUGHS = text("x") + TUPLE1 + MEMOIZE + b"".join(
    b"h" + bytes([i]) + b"h" + bytes([i]) + TUPLE2 + MEMOIZE for i in range(40)
)  # fmt: skip

ALLOWED = {
    "an array": ARRAY,
    "a data type with its state": dtype("f8") + pack(*DTYPE_STATE) + BUILD,
    "a named data type": call("numpy.dtype", text("float64")),
    "a data type of a class": call("numpy.dtype", name("numpy.float64")),
    "a masked array": call(
        "numpy.ma.core._mareconstruct", name("numpy.ma.core.MaskedArray"), name("numpy.ndarray"),
        pack(number(0)), raw(b"b"),
    ),
    "a buffer": call(
        "numpy._core.numeric._frombuffer", raw(bytes(8)), dtype("f8"), pack(number(1)), text("C")
    ),
    "Latin-1": call("_codecs.encode", text("é"), text("latin1")),
    "bytes of nothing": call("builtins.bytes"),
    "bytes of text": call("builtins.bytearray", text("a"), text("latin-1")),
    "a bytearray": call("builtins.bytearray", raw(b"a")),
    "a reconstructed instance": call(
        "copyreg._reconstructor", name("collections.OrderedDict"), name("builtins.dict"), EMPTY_DICT
    ),
    "an ordered dictionary": call("collections.OrderedDict") + text("a") + NONE + SETITEM,
    "a default dictionary": call("collections.defaultdict", name("builtins.int")),
    "a set of a list": call("builtins.set", EMPTY_LIST + MARK + number(1) + APPENDS),
    "a range": call("builtins.range", number(1), number(5), number(2)),
    "a decimal": call("decimal.Decimal", text("1.5")),
    "a ufunc": name("numpy.log1p"),
    "a ufunc in a tuple": pack(name("numpy.log1p"), pack(name("numpy.exp"))),
    "a random state": call(RANDOM, text("MT19937"), name(MAKER)),
    "a set": EMPTY_SET + MARK + number(1) + pack(number(1), pack(number(2))) + ADDITEMS,
    "a frozen set": MARK + number(1) + b"\x91",
    "a list and a dictionary of protocol 0": MARK + text("a") + MARK + number(1) + b"l" + b"d",
}  # fmt: skip

OBJECTS = settled("O8", flags=63)
PAIR = (NONE, pack(text("a"), text("b")))


def time(*metadata: bytes, version: int = 4) -> bytes:
    state = (text("<"), NONE, NONE, NONE, number(-1), number(-1), number(0))
    return dtype("M8") + pack(number(version), *state, *metadata) + BUILD


UNIT = pack(raw(b"ns"), number(1), number(1), number(1))
ALLOWED |= {
    "a data type of times": time(pack(NONE, UNIT)),
    "a data type of times with notes": time(pack(EMPTY_DICT, UNIT)),
    "a data type with notes": dtype("f8") + pack(*DTYPE_STATE, EMPTY_DICT) + BUILD,
    "a data type of objects": OBJECTS,
    "a structured data type": settled(
        "V16",
        size=16,
        alignment=1,
        flags=27,
        parts=(
            *PAIR,
            table(text("a"), pack(settled("f8"), number(0)), text("b"), pack(OBJECTS, number(8))),
        ),
    ),
    "a structured data type with a title": settled(
        "V8",
        size=8,
        alignment=8,
        flags=0x90,
        parts=(NONE, pack(text("a")), table(text("a"), pack(settled("f8"), number(0), text("t")))),
    ),
    "a data type of arrays": settled(
        "V12", size=12, alignment=4, parts=(pack(settled("i4"), pack(number(3))), NONE, NONE)
    ),
    "a data type of arrays of objects": settled(
        "V16", size=16, alignment=8, flags=63, parts=(pack(OBJECTS, number(2)), NONE, NONE)
    ),
    "a named data type with its state": settled("float64"),
    "a data type of text": settled("U5", size=20, alignment=4, flags=8),
    "an array of objects": (
        ARRAY
        + pack(
            number(1), pack(number(2)), OBJECTS, FALSE, EMPTY_LIST + MARK + NONE + TRUE + APPENDS
        )
        + BUILD
    ),
    "an array with its state": array(settled("f8"), bytes(8)),
}

ALLOWED["a named tuple with its arguments"] = (
    name("sklearn.impute._iterative._ImputerTriplet") + pack(number(1), NONE, NONE) + NEW
)

REFUSED = {
    "an unknown subtype": (
        call("numpy._core.multiarray._reconstruct", name("builtins.int"), pack(number(0)), raw(b"b")),
        "no array type",
    ),
    "no subtype": (
        call("numpy._core.multiarray._reconstruct", number(1), pack(number(0)), raw(b"b")),
        "no array type",
    ),
    "an array of a size": (
        call(
            "numpy._core.multiarray._reconstruct", name("numpy.ndarray"), pack(number(1 << 40)),
            raw(b"b"),
        ),
        "would allocate",
    ),
    "too few arguments": (call("numpy._core.multiarray._reconstruct"), "three arguments"),
    "too few for a masked array": (call("numpy.ma.core._mareconstruct"), "four arguments"),
    "a made-up data type": (call("numpy.dtype", text("i4,O")), "no simple data type"),
    "a data type of a list": (call("numpy.dtype", EMPTY_LIST), "text of a data type"),
    "a data type of a function": (call("numpy.dtype", name("numpy.memmap")), "may not be"),
    "a data type of nothing": (call("numpy.dtype"), "one to three"),
    "a data type's odd state": (dtype("f8") + EMPTY_DICT + BUILD, "state of a data type"),
    "a data type of version 9": (
        dtype("f8") + pack(number(9), *DTYPE_STATE[1:]) + BUILD, "state of a data type",
    ),
    "a data type's odd fields": (
        dtype("f8") + pack(*DTYPE_STATE[:4], number(1), *DTYPE_STATE[5:]) + BUILD, "fields",
    ),
    "a data type's odd size": (
        dtype("f8") + pack(*DTYPE_STATE[:5], NONE, *DTYPE_STATE[6:]) + BUILD, "as numbers",
    ),
    "a data type that all share": (
        call("numpy.dtype", text("f8")) + pack(*DTYPE_STATE) + BUILD, "all arrays share",
    ),
    "a data type of a class with a state": (
        call("numpy.dtype", name("numpy.float64"), FALSE, TRUE) + pack(*DTYPE_STATE) + BUILD,
        "all arrays share",
    ),
    "objects that say they are none": (settled("O8"), "hide"),
    "objects in a field that say they are none": (
        settled(
            "V8", size=8, alignment=1,
            parts=(NONE, pack(text("a")), table(text("a"), pack(OBJECTS, number(0)))),
        ),
        "hide",
    ),
    "objects in an array that say they are none": (
        settled("V8", size=8, alignment=8, parts=(pack(OBJECTS, number(1)), NONE, NONE)), "hide",
    ),
    "numbers that say they are objects": (settled("f8", flags=63), "make up"),
    "a size of its own": (settled("V8", size=4000, alignment=1), "size"),
    "a size of numbers": (settled("f8", size=16), "size"),
    "an alignment of nothing": (settled("V8", size=8, alignment=0), "alignment"),
    "a field outside": (
        settled(
            "V8", size=8, alignment=1,
            parts=(NONE, pack(text("a")), table(text("a"), pack(settled("f8"), number(1)))),
        ),
        "outside its item",
    ),
    "a field whose type may still change": (
        settled(
            "V8", size=8, alignment=1,
            parts=(NONE, pack(text("a")), table(text("a"), pack(dtype("f8"), number(0)))),
        ),
        "not known",
    ),
    "a field that is none": (
        settled("V8", size=8, alignment=1, parts=(NONE, pack(text("a")), table(text("a"), NONE))),
        "a field that is none",
    ),
    "a name without a field": (
        settled(
            "V8", size=8, alignment=1,
            parts=(*PAIR, table(text("a"), pack(settled("f8"), number(0)))),
        ),
        "none of its fields",
    ),
    "a field without a name": (
        settled(
            "V8", size=8, alignment=1,
            parts=(NONE, pack(), table(number(1), pack(settled("f8"), number(0)))),
        ),
        "a table has",
    ),
    "fields and an array": (
        settled("V8", size=8, alignment=1, parts=(pack(settled("f8"), pack()), PAIR[1], EMPTY_DICT)),
        "cannot have",
    ),
    "an array larger than its item": (
        settled("V8", size=8, alignment=1, parts=(pack(settled("f8"), number(2)), NONE, NONE)),
        "larger or smaller",
    ),
    "an array of lengths that are none": (
        settled("V8", size=8, alignment=1, parts=(pack(settled("f8"), number(-1)), NONE, NONE)),
        "not known",
    ),
    "an array that is none": (
        settled("V8", size=8, alignment=1, parts=(pack(settled("f8")), NONE, NONE)), "none",
    ),
    "a data type that changes under its array": (
        dtype("V8") + MEMOIZE + array(b"h\x00", bytes(8)) + TUPLE2 + b"h\x00"
        + pack(number(3), text("|"), NONE, NONE, NONE, number(8), number(1), number(0)) + BUILD,
        "after something else",
    ),
    "an array of more objects than there are": (
        ARRAY + pack(number(1), pack(number(255)), OBJECTS, FALSE, EMPTY_LIST + NONE + APPEND) + BUILD,
        "more or fewer objects",
    ),
    "no Arrow array": (call(ARROW, number(1)), "parts of an Arrow array"),
    "two Arrow arrays": (call(ARROW, NONE, NONE), "one argument"),
    "an Arrow array before its buffers": (
        call(ARROW, pack(NONE, number(1), number(0), number(-8), EMPTY_LIST, EMPTY_LIST, NONE)),
        "no array has",
    ),
    "an Arrow array without lists": (
        call(ARROW, pack(NONE, number(1), number(0), number(0), NONE, EMPTY_LIST, NONE)), "lists",
    ),
    "an Arrow array of arrays": (
        call(ARROW, pack(NONE, number(1), number(0), number(0), EMPTY_LIST,
                         EMPTY_LIST + NONE + APPEND, NONE)),
        "array of arrays",
    ),
    "an Arrow dictionary of dictionaries": (
        call(ARROW, pack(NONE, number(1), number(0), number(0), EMPTY_LIST, EMPTY_LIST, number(1))),
        "parts of an Arrow array",
    ),
    "times without a unit": (time(version=3), "unit of time"),
    "times with half a unit": (time(pack(NONE)), "unit of time"),
    "times with a unit of nothing": (
        time(pack(NONE, pack(raw(b"ns"), number(1), number(0), number(1)))), "unit of time",
    ),
    "times with notes that are none": (time(pack(number(1), UNIT)), "unit of time"),
    "notes that are none": (dtype("f8") + pack(*DTYPE_STATE, number(1)) + BUILD, "metadata"),
    "an array's odd state": (ARRAY + EMPTY_DICT + BUILD, "state of an array"),
    "an array's odd shape": (
        ARRAY + pack(number(1), number(1), dtype("f8"), TRUE, raw(b"")) + BUILD, "takes a shape",
    ),
    "an array's endless shape": (
        ARRAY + pack(number(1), pack(number(1 << 32), number(1 << 32)), dtype("f8"), TRUE, raw(b""))
        + BUILD,
        "larger than any",
    ),
    "a buffer of no bytes": (
        call("numpy._core.numeric._frombuffer", text("a"), NONE, NONE, NONE), "takes bytes",
    ),
    "another encoding": (call("_codecs.encode", text("a"), text("rot13")), "takes text"),
    "a number of bytes": (call("builtins.bytearray", number(1 << 40)), "takes bytes"),
    "bytes in another encoding": (call("builtins.bytes", text("a"), text("utf-7")), "takes bytes"),
    "a base that is no type": (
        call("copyreg._reconstructor", name(ESTIMATOR), name(ESTIMATOR), NONE), "as the base",
    ),
    "a base that is a value": (
        call("copyreg._reconstructor", name(ESTIMATOR), number(1), NONE), "as the base",
    ),
    "a class that may not be made": (
        call("copyreg._reconstructor", name("numpy.memmap"), name("builtins.object"), NONE),
        "made an instance of",
    ),
    "no class to make": (
        call("copyreg._reconstructor", number(1), name("builtins.object"), NONE), "the class",
    ),
    "two arguments to reconstruct": (call("copyreg._reconstructor", NONE, NONE), "three"),
    "an unknown bit generator": (call(RANDOM, text("os")), "no bit generator"),
    "a class that is no bit generator": (call(RANDOM, name(ESTIMATOR)), "no bit generator"),
    "another maker of bit generators": (
        call(RANDOM, text("MT19937"), name("numpy.log1p")), "second argument",
    ),
    "three arguments to a random state": (call(RANDOM, NONE, NONE, NONE), "at most two"),
    "a tree of absurd size": (
        call("sklearn.tree._tree.Tree", number(1 << 60), NONE, number(1)), "too large",
    ),
    "a tree of functions": (
        call("sklearn.tree._tree.Tree", name("numpy.log1p")), "no class or function",
    ),
    "an ordered dictionary of a list": (
        call("collections.OrderedDict", EMPTY_LIST), "no arguments",
    ),
    "a range of text": (call("builtins.range", text("a")), "takes numbers"),
    "a decimal of a number": (call("decimal.Decimal", number(1)), "takes text"),
    "a partial function of another": (call("functools.partial", name("numpy.exp")), "calls"),
    "a partial function of a value": (call("functools.partial", number(1)), "calls"),
    "a partial function's odd state": (
        call("functools.partial", name("sklearn.utils.validation.check_array"))
        + pack(name("numpy.exp"), EMPTY_TUPLE, EMPTY_DICT, NONE) + BUILD,
        "calls",
    ),
    "a partial function's short state": (
        call("functools.partial", name("sklearn.utils.validation.check_array"))
        + EMPTY_TUPLE + BUILD,
        "partial function",
    ),
    "a set of a number": (call("builtins.set", number(1)), "takes a list"),
    "a set of laughs": (
        call("builtins.frozenset", EMPTY_LIST + MARK + pack(pack(number(1))) + APPENDS),
        "forever",
    ),
    "laughs as a key": (LAUGHS + EMPTY_DICT + b"h\x28" + NONE + SETITEM, "forever"),
    "laughs in a set": (LAUGHS + EMPTY_SET + MARK + b"h\x28" + ADDITEMS, "forever"),
    "a deep key": (
        EMPTY_DICT + NONE + TUPLE1 * 200 + NONE + SETITEM, "forever",
    ),
    "a distribution that runs code": (
        made(NORM, text("_parse_arg_template"), text("import os")), "not what SciPy writes",
    ),
    "a distribution that runs code in a default": (
        made(NORM, text("_parse_arg_template"), text(PARSER.format("a=print(1), "))),
        "not what SciPy writes",
    ),
    "a distribution without attributes": (
        name(NORM) + EMPTY_TUPLE + NEW + pack(number(1)) + BUILD, "takes a dictionary",
    ),
    "a special attribute": (made(ESTIMATOR, text("__setstate__"), name("numpy.exp")), "special"),
    "a special attribute by slot": (
        name(ESTIMATOR) + EMPTY_TUPLE + NEW + pack(NONE, table(text("__class__"), NONE)) + BUILD,
        "special",
    ),
    "an attribute that is no text": (made(ESTIMATOR, number(1), NONE), "not plain text"),
    "a function as an attribute": (
        made(ESTIMATOR, text("predict"), name("numpy.memmap")), "kept as a value",
    ),
    "a function deep in a tuple": (
        made(ESTIMATOR, text("predict"), pack(NONE, pack(name("numpy.memmap")))), "kept as a value",
    ),
    "a function in a list": (
        EMPTY_LIST + name("numpy.memmap") + APPEND, "kept as a value",
    ),
    "a function as a key": (
        EMPTY_DICT + name("numpy.memmap") + NONE + SETITEM, "kept as a value",
    ),
    "a function as the model": (name("numpy.memmap"), "kept as a value"),
    "a function as an argument": (
        call("collections.deque", pack(name("numpy.memmap"))), "kept as a value",
    ),
    "a state twice": (
        made(ESTIMATOR) + EMPTY_DICT + BUILD, "",
    ),
    "a state on a class": (name(ESTIMATOR) + EMPTY_DICT + BUILD, ""),
    "a state on a list": (EMPTY_LIST + EMPTY_DICT + BUILD, ""),
    "a state on what may have none": (
        call("builtins.complex", number(1), number(2)) + EMPTY_DICT + BUILD, "",
    ),
    "an instance with arguments": (
        name(ESTIMATOR) + pack(number(1)) + NEW, "with arguments",
    ),
    "an instance with keywords": (
        name(ESTIMATOR) + EMPTY_TUPLE + table(text("a"), NONE) + NEW_EX, "with arguments",
    ),
    "an instance of a number": (number(1) + EMPTY_TUPLE + NEW, ""),
    "a called class": (name(ESTIMATOR) + EMPTY_TUPLE + CALL, "may not be called"),
    "a called result": (call("collections.deque") + EMPTY_TUPLE + CALL, ""),
    "a call with a list": (name("collections.deque") + EMPTY_LIST + CALL, ""),
    "items in an estimator": (
        name(ESTIMATOR) + EMPTY_TUPLE + NEW + number(1) + APPEND, "filled with items",
    ),
    "items in a class": (name(ESTIMATOR) + number(1) + APPEND, ""),
    "items after the state": (
        made("sklearn.utils._bunch.Bunch", text("a"), NONE) + text("b") + NONE + SETITEM, "",
    ),
    "items in what may take none": (ARRAY + number(1) + APPEND, ""),
    "a method of an estimator": (
        call("builtins.getattr", made(ESTIMATOR), text("predict")), "",
    ),
    "a method of a number": (call("builtins.getattr", number(1), text("real")), ""),
    "a method by a number": (call("builtins.getattr", made(ESTIMATOR), number(1)), ""),
    "getattr alone": (call("builtins.getattr", made(ESTIMATOR)), ""),
    "getattr kept": (pack(name("builtins.getattr")), "not on the allowlist"),
    "an instance by INST": (MARK + b"ios\nsystem\n", "an instance of os.system"),
    "a call by OBJ": (MARK + name("os.system") + text("true") + b"o", "os.system is called"),
    "an extension": (b"\x82\x01", ""),
    "a larger extension": (b"\x83\x01\x01", ""),
    "the largest extension": (b"\x84\x01\x01\x01\x01", ""),
    "a persistent id": (text("storage") + b"Q", ""),
    "a persistent line": (b"Pstorage\n", ""),
    "a buffer from outside": (b"\x97", ""),
    "a read-only buffer": (b"\x97\x98", ""),
    "a name that is no text": (number(1) + text("a") + b"\x93", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", ALLOWED)
def test_honest_arguments_are_allowed(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(stream(ALLOWED[case]))
    assert audit_file(path).findings == ()
    load_stream(path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # scikit-learn misses its version in the state
@pytest.mark.parametrize("case", REFUSED)
def test_other_arguments_are_refused_by_audit_and_loader(case: str, tmp_path: Path) -> None:
    content, why = REFUSED[case]
    path = tmp_path / "model.pkl"
    path.write_bytes(stream(content))
    report = audit_file(path)
    assert not report.ok
    assert any(why in finding.why for finding in report.findings), report.findings
    with pytest.raises((SamovarError, UnpicklingError, TypeError)):
        load_stream(path)


def test_fields_that_are_added_later_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    fields = table(text("a"), pack(settled("f8"), number(0))) + MEMOIZE
    late = b"h\x00" + text("a") + pack(OBJECTS, number(0)) + SETITEM
    made_first = settled("V8", size=8, alignment=1, flags=16, parts=(NONE, pack(text("a")), fields))
    path.write_bytes(stream(pack(made_first, late)))
    assert audit_file(path).ok
    assert not load_stream(path)[0].hasobject
    assert load_stream(path)[0]["a"] == "f8"


def test_a_distribution_as_scipy_writes_it_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    for shapes in ("", "a, b, "):
        state = (text("_parse_arg_template"), text(PARSER.format(shapes)))
        path.write_bytes(stream(made(NORM, *state)))
        assert audit_file(path).ok
    path.write_bytes(stream(made(NORM, text("a"), TRUE)))
    assert audit_file(path).ok


def test_a_listed_method_is_judged_by_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    method = call(
        "builtins.getattr", name("scipy.interpolate._interpolate.interp1d"), text("_call_linear")
    )
    path.write_bytes(stream(method))
    report = audit_file(path)
    assert report.ok
    assert "scipy.interpolate._interpolate.interp1d._call_linear" in report.globals
    assert load_stream(path).__name__ == "_call_linear"
