"""Which method of the reader carries out which opcode."""

from __future__ import annotations

from typing import Final

STOP: Final = b"."

ACTS: Final[dict[bytes, str]] = {
    # machinery and memo
    b"\x80": "proto", b"\x95": "frame", b"(": "mark", b"0": "pop", b"1": "pop_mark", b"2": "dup",
    b"p": "put_line", b"q": "put_1", b"r": "put_4", b"\x94": "memoize",
    b"g": "get_line", b"h": "get_1", b"j": "get_4",
    # constants
    b"N": "none", b"\x88": "true", b"\x89": "false",
    b"I": "int_line", b"K": "int_1", b"M": "int_2", b"J": "int_4",
    b"L": "long_line", b"\x8a": "long_1", b"\x8b": "long_4",
    b"F": "float_line", b"G": "float_8",
    b"V": "text_line", b"\x8c": "text_1", b"X": "text_4", b"\x8d": "text_8",
    b"S": "string_line", b"U": "string_1", b"T": "string_4",
    b"C": "bytes_1", b"B": "bytes_4", b"\x8e": "bytes_8", b"\x96": "bytearray_8",
    # containers
    b")": "tuple_0", b"\x85": "tuple_1", b"\x86": "tuple_2", b"\x87": "tuple_3",
    b"t": "tuple_marked", b"]": "list_0", b"l": "list_marked", b"a": "append", b"e": "appends",
    b"}": "dict_0", b"d": "dict_marked", b"s": "setitem", b"u": "setitems",
    b"\x8f": "set_0", b"\x90": "additems", b"\x91": "frozenset_marked",
    # what names, calls and builds
    b"c": "global_lines", b"\x93": "stack_global", b"i": "inst", b"o": "obj", b"R": "reduce",
    b"\x81": "newobj", b"\x92": "newobj_ex", b"b": "build",
    b"\x82": "ext_1", b"\x83": "ext_2", b"\x84": "ext_4",
    b"P": "persistent_line", b"Q": "persistent",
    b"\x97": "next_buffer", b"\x98": "readonly_buffer",
}  # fmt: skip
