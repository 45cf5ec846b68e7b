"""Unpickle what the policy allows, judging every act again while it happens.

This is CPython's own unpickler in Python, which joblib's is made of too; each opcode that names,
calls or fills something asks the guard first. Nothing outside the instance is patched.
"""

from __future__ import annotations

import pickle
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from samovar.core.allowlist import GETATTR, Entry, Global
from samovar.core.guard import Guard, Objection
from samovar.errors import EnvironmentMismatch, Refused
from samovar.runtime.joblib_arrays import WRAPPER, ArrayInStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samovar.core.allowlist import Policy
    from samovar.runtime.bounded import BoundedFile

_KINDS: Final = {
    type(None): "none",
    bool: "bool",
    int: "int",
    float: "float",
    str: "text",
    bytes: "bytes",
    bytearray: "bytes",
    tuple: "tuple",
    list: "list",
    dict: "dict",
    set: "set",
    frozenset: "set",
}


class _LoadedView:
    """Show real values to the rules of core/arguments.py."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[Any, Global]] = {}

    def name(self, value: Any, name: Global) -> None:
        """Remember under which name the stream brought a value in."""
        self._names[id(value)] = (value, name)

    def global_of(self, value: Any) -> Global | None:
        """Give that name."""
        found = self._names.get(id(value))
        return found[1] if found is not None else None

    def kind_of(self, value: Any) -> str:
        """Name what a value is."""
        return "global" if id(value) in self._names else _KINDS.get(type(value), "object")

    def holds_nested(self, value: Any) -> bool:
        """Say whether a list holds tuples that hold tuples."""
        return any(
            type(item) is tuple and any(type(inner) is tuple for inner in item) for item in value
        )


class AllowedUnpickler(pickle._Unpickler):  # type: ignore[name-defined,misc] # noqa: SLF001  the C one calls what it is told before anybody is asked
    """Load one stream.

    Parameters
    ----------
    file : BoundedFile
        At the beginning of the stream; left after STOP.
    policy : Policy
        What may be used, and how.
    with_arrays : bool
        Whether array bytes stand between the opcodes, as joblib writes them.

    Raises
    ------
    Refused
        At the first act that is not allowed, before it is done.
    EnvironmentMismatch
        Where an allowed name does not exist in this environment.
    """

    dispatch: Final = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined] # noqa: SLF001  see above

    def __init__(self, file: BoundedFile, policy: Policy, *, with_arrays: bool = True) -> None:
        super().__init__(file)
        self._bounded = file
        self._policy = policy
        self._view = _LoadedView()
        self._guard = Guard(policy, self._view)
        self._with_arrays = with_arrays
        # What was made and not yet given a state, with its class where that is known. The values
        # are kept, so that no other can get the same id.
        self._made: dict[int, tuple[Any, Global | None]] = {}

    # Names

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a listed name; nothing else is imported."""
        wanted = Global.of_stream(module, name)
        if self._policy.entry(wanted) is None and str(wanted) != GETATTR:
            raise _refused(Objection(wanted, "is not on the allowlist"))
        value = ArrayInStream if wanted == WRAPPER and self._with_arrays else _resolve(wanted)
        self._view.name(value, wanted)
        return value

    def get_extension(self, code: int) -> Any:
        """Refuse the extension registry: what it names is not in the file."""
        raise _refused(Objection(None, f"extension {code} names something outside the file"))

    def persistent_load(self, pid: Any) -> Any:
        """Refuse objects outside the file."""
        raise _refused(Objection(None, f"the persistent id {pid!r} is outside the file"))

    # Calls and instances

    def load_reduce(self) -> None:
        """Judge and carry out REDUCE."""
        args = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], args)

    dispatch[pickle.REDUCE[0]] = load_reduce

    def _call(self, function: Any, args: Any) -> Any:
        callee = self._view.global_of(function)
        if callee is None or type(args) is not tuple:
            raise _refused(Objection(callee, "something that no name stands for is called"))
        if str(callee) == GETATTR:
            return self._method(callee, args)
        _check(self._guard.call(callee, args))
        value = function(*args)
        self._made[id(value)] = (value, self._gives(callee, args))
        return value

    def _method(self, callee: Global, args: tuple[Any, ...]) -> Any:
        owner = None
        if len(args) == 2:
            owner = self._view.global_of(args[0]) or self._made.get(id(args[0]), (None, None))[1]
        method = self._guard.method(owner, args[1]) if owner is not None else None
        if method is None:
            raise _refused(Objection(callee, "is not on the allowlist"))
        value = getattr(args[0], args[1])
        self._view.name(value, method)
        return value

    def _gives(self, callee: Global, args: tuple[Any, ...]) -> Global | None:
        entry = self._policy.entry(callee) or Entry(uses=frozenset())
        if entry.gives == "itself":
            return callee
        if entry.gives == "first":
            return self._view.global_of(args[0])
        if entry.gives is None or entry.gives == "bytes":
            return None
        module, _, name = entry.gives.rpartition(".")
        return Global(module, name)

    def _instantiate(self, klass: Any, args: Any) -> None:
        args = tuple(args)
        self._note_tuple(args)
        if args:
            self.append(self._call(klass, args))
        else:
            self.append(self._new(klass, args, {}))

    def load_newobj(self) -> None:
        """Judge and carry out NEWOBJ."""
        args, cls = self.stack.pop(), self.stack.pop()
        self.append(self._new(cls, args, {}))

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_newobj_ex(self) -> None:
        """Judge and carry out NEWOBJ_EX."""
        keywords, args, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.append(self._new(cls, args, keywords))

    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex

    def _new(self, cls: Any, args: Any, keywords: Any) -> Any:
        name = self._view.global_of(cls)
        if name is None or type(args) is not tuple or type(keywords) is not dict:
            raise _refused(Objection(name, "an instance of something that has no name is made"))
        _check(self._guard.new(name, args, named=bool(keywords)))
        value = cls.__new__(cls, *args, **keywords)
        self._made[id(value)] = (value, name)
        return value

    def load_build(self) -> None:
        """Judge and carry out BUILD, and take joblib's array off the file where one follows."""
        state, target = self.stack[-1], self.stack[-2]
        _, cls = self._made.pop(id(target), (None, None))
        if cls is None:
            name = self._view.global_of(target)
            raise _refused(Objection(name, "the state of something is set that may not have one"))
        _check(self._guard.state(cls, state))
        super().load_build()
        if type(target) is ArrayInStream:
            self.stack[-1] = self._array(target)

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, described: ArrayInStream) -> Any:
        frame = self._unframer.current_frame
        if frame is not None and frame.read(1):
            raise _refused(Objection(WRAPPER, "an array stands inside a frame"))
        if described.has_objects():
            return AllowedUnpickler(self._bounded, self._policy, with_arrays=False).load()
        return described.read(self._bounded)

    # Containers

    def _fill(self, target: Any, values: Iterable[Any], kind: type) -> None:
        if type(target) is not kind:
            made = self._made.get(id(target), (None, None))[1]
            if made is None:
                raise _refused(
                    Objection(self._view.global_of(target), "its methods would take items")
                )
            _check(self._guard.items(made))
        judge = self._guard.hashed if kind is set else self._guard.stored
        for value in values:
            _check(judge(value))

    def _fill_pairs(self, target: Any, items: list[Any]) -> None:
        for key in items[::2]:
            _check(self._guard.hashed(key))
        self._fill(target, items[1::2], dict)

    def load_append(self) -> None:
        """Judge and carry out APPEND."""
        self._fill(self.stack[-2], self.stack[-1:], list)
        super().load_append()

    dispatch[pickle.APPEND[0]] = load_append

    def load_appends(self) -> None:
        """Judge and carry out APPENDS."""
        self._fill(self.metastack[-1][-1], self.stack, list)
        super().load_appends()

    dispatch[pickle.APPENDS[0]] = load_appends

    def load_setitem(self) -> None:
        """Judge and carry out SETITEM."""
        self._fill_pairs(self.stack[-3], self.stack[-2:])
        super().load_setitem()

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        """Judge and carry out SETITEMS."""
        self._fill_pairs(self.metastack[-1][-1], self.stack)
        super().load_setitems()

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_additems(self) -> None:
        """Judge and carry out ADDITEMS."""
        self._fill(self.metastack[-1][-1], self.stack, set)
        super().load_additems()

    dispatch[pickle.ADDITEMS[0]] = load_additems

    def load_frozenset(self) -> None:
        """Judge and carry out FROZENSET."""
        self._fill(set(), self.stack, set)
        super().load_frozenset()

    dispatch[pickle.FROZENSET[0]] = load_frozenset

    def load_list(self) -> None:
        """Judge and carry out LIST."""
        self._fill([], self.stack, list)
        super().load_list()

    dispatch[pickle.LIST[0]] = load_list

    def load_dict(self) -> None:
        """Judge and carry out DICT."""
        self._fill_pairs({}, self.stack)
        super().load_dict()

    dispatch[pickle.DICT[0]] = load_dict

    def load_bytearray8(self) -> None:
        """Carry out BYTEARRAY8, allocating only after the file turned out to hold so much."""
        size = int.from_bytes(self.read(8), "little")
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def _note_tuple(self, value: tuple[Any, ...]) -> None:
        _check(self._guard.tuple_made(value))

    def load_stop(self) -> None:
        """Judge what comes out, and end."""
        _check(self._guard.stored(self.stack[-1]))
        super().load_stop()

    dispatch[pickle.STOP[0]] = load_stop


def _noting_tuples(load: Callable[[Any], None]) -> Callable[[AllowedUnpickler], None]:
    def load_tuple(self: AllowedUnpickler) -> None:
        load(self)
        self._note_tuple(self.stack[-1])  # noqa: SLF001  a method of the class, made for four opcodes

    return load_tuple


for _opcode in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3):
    AllowedUnpickler.dispatch[_opcode[0]] = _noting_tuples(AllowedUnpickler.dispatch[_opcode[0]])


def _resolve(wanted: Global) -> Any:
    try:
        value = import_module(wanted.module)
        for part in wanted.name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise EnvironmentMismatch(
            f"The model needs {wanted}, which this environment lacks.",
            why=str(error),
            hint="Load it with the library version that it was made with.",
            code="missing_name",
        ) from error
    return value


def _check(objection: Objection | None) -> None:
    if objection is not None:
        raise _refused(objection)


def _refused(objection: Objection) -> Refused:
    subject = str(objection.global_) if objection.global_ is not None else "something nameless"
    return Refused(
        f"The model is refused while loading: it uses {subject}.",
        why=f"{subject}: {objection.why}",
        hint="'samovar audit FILE' says where; list classes of your own in [model] trusted.",
    )
