"""Pickle streams put together opcode by opcode, for tests of what reads them."""

from __future__ import annotations

import struct

PROTO = b"\x80\x04"
MARK, STOP = b"(", b"."
NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"
CALL, NEW, NEW_EX, BUILD = b"R", b"\x81", b"\x92", b"b"
EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT, EMPTY_SET = b")", b"]", b"}", b"\x8f"
TUPLE, TUPLE1, TUPLE2, TUPLE3 = b"t", b"\x85", b"\x86", b"\x87"
APPEND, APPENDS, SETITEM, SETITEMS, ADDITEMS = b"a", b"e", b"s", b"u", b"\x90"
STACK_GLOBAL, MEMOIZE = b"\x93", b"\x94"


def text(value: str) -> bytes:
    """Push text."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def raw(value: bytes) -> bytes:
    """Push bytes."""
    return b"B" + struct.pack("<I", len(value)) + value


def number(value: int) -> bytes:
    """Push an integer."""
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + data


def name(dotted: str) -> bytes:
    """Push a global: what follows the last dot is its name in the module before it."""
    module, _, last = dotted.rpartition(".")
    return text(module) + text(last) + STACK_GLOBAL


def pack(*items: bytes) -> bytes:
    """Push a tuple of pushed values."""
    return MARK + b"".join(items) + TUPLE


def call(dotted: str, *args: bytes) -> bytes:
    """Call a global."""
    return name(dotted) + pack(*args) + CALL


def table(*pairs: bytes) -> bytes:
    """Push a dictionary of keys and values that follow each other."""
    return EMPTY_DICT + MARK + b"".join(pairs) + SETITEMS


def made(dotted: str, *pairs: bytes) -> bytes:
    """Push an instance with attributes."""
    return name(dotted) + EMPTY_TUPLE + NEW + table(*pairs) + BUILD


def stream(*parts: bytes) -> bytes:
    """Make a whole stream."""
    return PROTO + b"".join(parts) + STOP


def dtype(code: str) -> bytes:
    """Push a data type without a state of its own."""
    return call("numpy.dtype", text(code), FALSE, TRUE)


def settled(
    code: str,
    *,
    parts: tuple[bytes, ...] = (NONE, NONE, NONE),
    size: int = -1,
    alignment: int = -1,
    flags: int = 0,
) -> bytes:
    """Push a data type with its state; parts are an array as item, names, and fields."""
    rest = map(number, (size, alignment, flags))
    return dtype(code) + pack(number(3), text("|"), *parts, *rest) + BUILD


def array(data_type: bytes, content: bytes, length: int = 1) -> bytes:
    """Push an array of one dimension."""
    return ARRAY + pack(number(1), pack(number(length)), data_type, FALSE, raw(content)) + BUILD


ESTIMATOR = "sklearn.linear_model._base.LinearRegression"
ARRAY = call(
    "numpy._core.multiarray._reconstruct", name("numpy.ndarray"), pack(number(0)), raw(b"b")
)
