"""What the arguments and states of the allowlist's functions must look like.

A function on the list is harmless with the arguments that honest models give it; some would not be
with others (``_codecs.encode`` imports the module of the encoding it is told, ``_reconstruct``
makes an instance of any class). Each rule here is named in ``allowlist.json``; it says what is
wrong, or None. The audit applies it to symbolic values, the loader to real ones, through a `View`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final, Protocol

from samovar.core.allowlist import NEW, REFERENCE
from samovar.core.data_types import DataType, is_code, of_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.core.allowlist import Global, Policy

    Rule = Callable[["tuple[Any, ...]", "View", Policy], "str | None"]
    StateRule = Callable[[Any, "Made", "View", Policy], "str | None"]


class View(Protocol):
    """How a reader shows its values to the rules."""

    def global_of(self, value: Any) -> Global | None:
        """Give the name under which the stream brought a class or function in."""

    def kind_of(self, value: Any) -> str:
        """Give ``none bool int float text bytes tuple list dict set object`` or ``global``."""

    def holds_nested(self, value: Any) -> bool:
        """Say whether a list holds tuples that hold tuples."""

    def length_of(self, value: Any) -> int:
        """Give how many items a list has."""

    def data_type(self, value: Any) -> DataType | None:
        """Give what a data type is whose state was judged, and None for all else."""

    def settle(self, value: Any, data_type: DataType) -> None:
        """Remember what a data type is."""


@dataclass(frozen=True, slots=True)
class Made:
    """A value that a stream has made and may give a state.

    Parameters
    ----------
    value : object
        As the reader holds it.
    cls : Global or None
        Its class, where that is known.
    args : tuple
        What it was made with.
    at : int
        How many acts on anything but data types came before.
    """

    value: Any
    cls: Global | None
    args: tuple[Any, ...]
    at: int


_BASES: Final = frozenset(
    f"builtins.{name}"
    for name in ("object", "dict", "list", "set", "frozenset", "tuple", "int", "float", "str")
)
_SUBTYPES: Final = frozenset(
    {
        "numpy.ndarray",
        "numpy.matrix",
        "numpy.memmap",
        "numpy.recarray",
        "numpy.rec.recarray",
        "numpy.core.memmap.memmap",
        "numpy.core.records.recarray",
        "numpy.matrixlib.defmatrix.matrix",
        "numpy.ma.MaskedArray",
        "numpy.ma.core.MaskedArray",
    }
)
_LATIN_1: Final = frozenset({"latin1", "latin-1"})
_BIT_GENERATORS: Final = frozenset({"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"})
_BIT_GENERATOR_MAKER: Final = "numpy.random._pickle.__bit_generator_ctor"
_PARTIAL: Final = frozenset({"sklearn.utils.validation.check_array"})
_COUNT: Final = 1 << 28
_ITEMS: Final = 1 << 48
# What scipy.stats makes of a distribution's shapes, and executes when its state is set
# (scipy/stats/_distn_infrastructure.py, parse_arg_template).
_PARSER: Final = """
def _parse_args(self, {shapes} {taken}):
    return ({shapes}), {given}

def _parse_args_rvs(self, {shapes} {taken}, size=None):
    return self._argcheck_rvs({shapes} {given}, size=size)

def _parse_args_stats(self, {shapes} {taken}, moments='mv'):
    return ({shapes}), {given}, moments
"""
_LOCATIONS: Final = (("loc=0, scale=1", "loc, scale"), ("loc=0", "loc, 1"))
_SHAPES: Final = re.compile(r"\ndef _parse_args\(self, ((?:[A-Za-z_]\w*, )*) ")


def _plain(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    if any(view.global_of(value) is not None for value in args):
        return "takes no class or function"
    return None


def _first_class(args: tuple[Any, ...], view: View, policy: Policy) -> str | None:
    cls = view.global_of(args[0]) if args else None
    if cls is None:
        return "takes the class to make an instance of first"
    why = policy.why_not(cls, NEW)
    return None if why is None else f"is given {cls}, which {why}"


def _reconstructor(args: tuple[Any, ...], view: View, policy: Policy) -> str | None:
    if len(args) != 3:
        return "takes three arguments"
    base = view.global_of(args[1])
    if base is None or str(base) not in _BASES:
        return f"is given {base or 'a value'} as the base; only built-in types are allowed there"
    return _first_class(args, view, policy)


def _subtype(value: Any, view: View) -> str | None:
    subtype = view.global_of(value)
    if subtype is None or str(subtype) not in _SUBTYPES:
        return f"is given {subtype or 'a value'}, which is no array type"
    return None


def _array(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    if len(args) != 3:
        return "takes three arguments"
    return _subtype(args[0], view) or _no_size(args[1], view)


def _masked_array(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    if len(args) != 4:
        return "takes four arguments"
    return _subtype(args[0], view) or _subtype(args[1], view) or _no_size(args[2], view)


def _no_size(shape: Any, view: View) -> str | None:
    if view.kind_of(shape) != "tuple" or 0 not in shape:
        return "would allocate an array of a size that the stream chose; honest ones say (0,)"
    return None


def _dtype(args: tuple[Any, ...], view: View, policy: Policy) -> str | None:
    if not args or len(args) > 3:
        return "takes one to three arguments"
    named = view.global_of(args[0])
    if named is not None:
        why = policy.why_not(named, REFERENCE)
        return None if why is None else f"is given {named}, which {why}"
    if view.kind_of(args[0]) != "text" or not isinstance(args[0], str):
        return "takes the text of a data type"
    if not is_code(args[0]):
        return f"is given {args[0][:40]!r}, which is no simple data type"
    return None


def _buffer(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    if len(args) not in {4, 5} or view.kind_of(args[0]) != "bytes":
        return "takes bytes, a data type, a shape and an order"
    return None


def _arrow(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    return _arrow_data(args[0], view) if len(args) == 1 else "takes one argument"


def _arrow_data(data: Any, view: View, nesting: int = 0) -> str | None:
    """Check ``(type, length, nulls, offset, buffers, children, dictionary)`` of an array."""
    if view.kind_of(data) != "tuple" or len(data) != 7 or nesting > 1:
        return "takes the parts of an Arrow array"
    _, length, nulls, offset, buffers, children, dictionary = data
    numbers = (length, offset, nulls)
    # -1 nulls: nobody has counted them.
    if any(type(n) is not int or not -1 <= n <= _ITEMS for n in numbers) or min(numbers[:2]) < 0:
        return "is given a length or an offset that no array has"
    if [view.kind_of(buffers), view.kind_of(children)] != ["list", "list"]:
        return "takes lists of buffers and of children"
    if view.length_of(children):
        return "is given an Arrow array of arrays, which models do not hold"
    return None if dictionary is None else _arrow_data(dictionary, view, nesting + 1)


def _latin_1(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    if [view.kind_of(value) for value in args] != ["text", "text"] or args[1] not in _LATIN_1:
        return "takes text and 'latin1'"
    return None


def _bytes(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    kinds = [view.kind_of(value) for value in args]
    if kinds in ([], ["bytes"]):
        return None
    if kinds == ["text", "text"] and args[1] in _LATIN_1:
        return None
    return "takes bytes; a number would allocate that many"


def _bit_generator(args: tuple[Any, ...], view: View, policy: Policy) -> str | None:
    if len(args) > 2:
        return "takes at most two arguments"
    if args and view.kind_of(args[0]) == "text" and args[0] not in _BIT_GENERATORS:
        return f"is given {str(args[0])[:40]!r}, which is no bit generator"
    named = view.global_of(args[0]) if args else None
    if named is not None and (named.name not in _BIT_GENERATORS or policy.entry(named) is None):
        return f"is given {named}, which is no bit generator"
    if len(args) == 2 and str(view.global_of(args[1])) != _BIT_GENERATOR_MAKER:
        return f"calls its second argument, which may only be {_BIT_GENERATOR_MAKER}"
    return None


def _counts(args: tuple[Any, ...], view: View, policy: Policy) -> str | None:
    numbers = [value for value in args if view.kind_of(value) == "int"]
    if not all(isinstance(value, int) and 0 <= value <= _COUNT for value in numbers):
        return "is given a number too large to allocate"
    return _plain(args, view, policy)


def _empty(args: tuple[Any, ...], _view: View, _policy: Policy) -> str | None:
    return "takes no arguments" if args else None


def _integers(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    return (
        None if all(view.kind_of(value) in {"int", "none"} for value in args) else "takes numbers"
    )


def _texts(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    return None if all(view.kind_of(value) == "text" for value in args) else "takes text"


def _partial(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    function = view.global_of(args[0]) if len(args) == 1 else None
    if function is None or str(function) not in _PARTIAL:
        return f"calls {function or 'a value'} later; only {', '.join(_PARTIAL)} is allowed there"
    return None


def _hashed_list(args: tuple[Any, ...], view: View, _policy: Policy) -> str | None:
    if len(args) > 1 or any(view.kind_of(value) != "list" for value in args):
        return "takes a list"
    if args and view.holds_nested(args[0]):
        return "would hash nested tuples, which can take forever"
    return None


def _partial_state(state: Any, _made: Made, view: View, policy: Policy) -> str | None:
    if view.kind_of(state) != "tuple" or len(state) != 4:
        return "takes the state of a partial function"
    return _partial(state[:1], view, policy)


def _distribution_state(state: Any, _made: Made, view: View, _policy: Policy) -> str | None:
    if view.kind_of(state) != "dict":
        return "takes a dictionary"
    template = state.get("_parse_arg_template")
    if template is not None and not _is_parser(template):
        return "executes _parse_arg_template, which is not what SciPy writes there"
    return None


def _is_parser(template: Any) -> bool:
    shapes = _SHAPES.match(template) if isinstance(template, str) else None
    return shapes is not None and any(
        template == _PARSER.format(shapes=shapes[1], taken=taken, given=given)
        for taken, given in _LOCATIONS
    )


def _dtype_state(state: Any, made: Made, view: View, _policy: Policy) -> str | None:
    """Check ``(version, order, subarray, names, fields, size, alignment, flags[, metadata])``."""
    if view.kind_of(state) != "tuple" or not 8 <= len(state) <= 9:
        return "takes the state of a data type"
    version, order, _, names, fields = state[:5]
    # Anything may stand here, what cannot be hashed too: kinds first.
    if [view.kind_of(version), view.kind_of(order)] != ["int", "text"]:
        return "takes the state of a data type"
    if version not in {3, 4} or order not in {"<", ">", "|", "="}:
        return "takes the state of a data type"
    if view.kind_of(fields) not in {"none", "dict"} or view.kind_of(names) not in {"none", "tuple"}:
        return "takes the fields of a structured data type as a dictionary"
    if any(type(value) is not int for value in state[5:8]):
        return "takes size, alignment and flags as numbers"
    found = of_state(made.args, state, view)
    if isinstance(found, str):
        return found
    view.settle(made.value, found)
    return None


def _array_state(state: Any, _made: Made, view: View, _policy: Policy) -> str | None:
    """Check ``(version, shape, data type, order, data)``; masked arrays have two values more."""
    if view.kind_of(state) != "tuple" or len(state) not in {5, 7}:
        return "takes the state of an array"
    shape = state[1]
    if view.kind_of(shape) != "tuple" or any(type(n) is not int or n < 0 for n in shape):
        return "takes a shape"
    if prod(max(length, 1) for length in shape) > _ITEMS:
        return "is given a shape that is larger than any machine's memory"
    if view.kind_of(state[4]) == "list" and view.length_of(state[4]) != prod(shape):
        # NumPy reads as many objects off the list as the shape says, and further.
        return "is given more or fewer objects than its shape has"
    return None


CALLS: Final[dict[str, tuple[Rule, frozenset[int]]]] = {
    "plain": (_plain, frozenset()),
    "first_class": (_first_class, frozenset({0})),
    "reconstructor": (_reconstructor, frozenset({0, 1})),
    "array": (_array, frozenset({0})),
    "masked_array": (_masked_array, frozenset({0, 1})),
    "dtype": (_dtype, frozenset({0})),
    "buffer": (_buffer, frozenset()),
    "arrow": (_arrow, frozenset()),
    "latin_1": (_latin_1, frozenset()),
    "bytes": (_bytes, frozenset()),
    "bit_generator": (_bit_generator, frozenset({0, 1})),
    "counts": (_counts, frozenset()),
    "empty": (_empty, frozenset()),
    "integers": (_integers, frozenset()),
    "texts": (_texts, frozenset()),
    "partial": (_partial, frozenset({0})),
    "hashed_list": (_hashed_list, frozenset()),
}
"""A rule, and the positions of arguments that it has checked itself."""

STATES: Final[dict[str, StateRule]] = {
    "distribution": _distribution_state,
    "array": _array_state,
    "dtype": _dtype_state,
    "partial": _partial_state,
}
