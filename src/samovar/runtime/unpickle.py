"""Unpickle what the policy allows, judging every act again while it happens.

This is CPython's own unpickler in Python, which joblib's is made of too; each opcode that names,
calls or fills something asks the guard first. Nothing outside the instance is patched.
"""

from __future__ import annotations

import pickle
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from samovar.core.allowlist import GETATTR, Entry, Global
from samovar.core.guard import DATA_TYPE, Guard, Objection
from samovar.errors import EnvironmentMismatch, Refused
from samovar.runtime.joblib_arrays import WRAPPER, ArrayInStream
from samovar.runtime.loaded_view import LoadedView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samovar.core.allowlist import Policy
    from samovar.core.arguments import Made
    from samovar.runtime.bounded import BoundedFile

_ARROW: Final = Global("pyarrow.lib", "_restore_array")
# CPython's unpickler in Python: the one in C does what the stream says before anybody is asked.
_Base: Any = pickle._Unpickler  # noqa: SLF001  joblib builds on it too


class AllowedUnpickler(_Base):  # type: ignore[misc] # its type is private
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

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(_Base.dispatch)

    def __init__(self, file: BoundedFile, policy: Policy, *, with_arrays: bool = True) -> None:
        super().__init__(file)
        self._bounded = file
        self._policy = policy
        self._view = LoadedView()
        self._guard = Guard(policy, self._view)
        self._with_arrays = with_arrays
        # What was made and not yet given a state; the values are kept, so that no other can get
        # the same id.
        self._made: dict[int, Made] = {}

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

    def _call(self, function: Any, args: Any) -> Any:
        callee = self._view.global_of(function)
        if callee is None or type(args) is not tuple:
            raise _refused(Objection(callee, "something that no name stands for is called"))
        if str(callee) == GETATTR:
            return self._method(callee, args)
        _check(self._guard.call(callee, args))
        value = function(*args)
        if callee == _ARROW:
            # Arrow builds what it is told, and reads beyond its buffers where that is wrong.
            value.validate(full=True)
        self._made[id(value)] = self._guard.made(value, self._gives(callee, args), args)
        return value

    def _method(self, callee: Global, args: tuple[Any, ...]) -> Any:
        owner = None
        if len(args) == 2:
            owner = self._view.global_of(args[0]) or self._class_of(args[0])
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
        _check(self._guard.tuple_made(args))
        if args:
            self.append(self._call(klass, args))
        else:
            self.append(self._new(klass, args, {}))

    def load_newobj(self) -> None:
        """Judge and carry out NEWOBJ."""
        args, cls = self.stack.pop(), self.stack.pop()
        self.append(self._new(cls, args, {}))

    def load_newobj_ex(self) -> None:
        """Judge and carry out NEWOBJ_EX."""
        keywords, args, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.append(self._new(cls, args, keywords))

    def _new(self, cls: Any, args: Any, keywords: Any) -> Any:
        name = self._view.global_of(cls)
        if name is None or type(args) is not tuple or type(keywords) is not dict:
            raise _refused(Objection(name, "an instance of something that has no name is made"))
        _check(self._guard.new(name, args, named=bool(keywords)))
        value = cls.__new__(cls, *args, **keywords)
        self._made[id(value)] = self._guard.made(value, name, args)
        return value

    def _class_of(self, value: Any) -> Global | None:
        made = self._made.get(id(value))
        return None if made is None else made.cls

    def load_build(self) -> None:
        """Judge and carry out BUILD, and take joblib's array off the file where one follows."""
        state, target = self.stack[-1], self.stack[-2]
        made = self._made.pop(id(target), None)
        if made is None or made.cls is None:
            name = self._view.global_of(target)
            raise _refused(Objection(name, "the state of something is set that may not have one"))
        _check(self._guard.state(made, made.cls, state))
        if made.cls == DATA_TYPE and state[4] is not None:
            # NumPy keeps the dictionary, and the stream may fill it later.
            self.stack[-1] = (*state[:4], dict(state[4]), *state[5:])
        super().load_build()
        if type(target) is ArrayInStream:
            self.stack[-1] = self._array(target)

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
            made = self._class_of(target)
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

    def load_appends(self) -> None:
        """Judge and carry out APPENDS."""
        self._fill(self.metastack[-1][-1], self.stack, list)
        super().load_appends()

    def load_setitem(self) -> None:
        """Judge and carry out SETITEM."""
        self._fill_pairs(self.stack[-3], self.stack[-2:])
        super().load_setitem()

    def load_setitems(self) -> None:
        """Judge and carry out SETITEMS."""
        self._fill_pairs(self.metastack[-1][-1], self.stack)
        super().load_setitems()

    def load_additems(self) -> None:
        """Judge and carry out ADDITEMS."""
        self._fill(self.metastack[-1][-1], self.stack, set)
        super().load_additems()

    def load_frozenset(self) -> None:
        """Judge and carry out FROZENSET."""
        self._fill(set(), self.stack, set)
        super().load_frozenset()

    def load_list(self) -> None:
        """Judge and carry out LIST."""
        self._fill([], self.stack, list)
        super().load_list()

    def load_dict(self) -> None:
        """Judge and carry out DICT."""
        self._fill_pairs({}, self.stack)
        super().load_dict()

    def load_bytearray8(self) -> None:
        """Carry out BYTEARRAY8, allocating only after the file turned out to hold so much."""
        size = int.from_bytes(self.read(8), "little")
        self.append(bytearray(self.read(size)))

    def load_tuple(self) -> None:
        """Judge and carry out TUPLE."""
        super().load_tuple()
        _check(self._guard.tuple_made(self.stack[-1]))

    def load_tuple1(self) -> None:
        """Judge and carry out TUPLE1."""
        super().load_tuple1()
        _check(self._guard.tuple_made(self.stack[-1]))

    def load_tuple2(self) -> None:
        """Judge and carry out TUPLE2."""
        super().load_tuple2()
        _check(self._guard.tuple_made(self.stack[-1]))

    def load_tuple3(self) -> None:
        """Judge and carry out TUPLE3."""
        super().load_tuple3()
        _check(self._guard.tuple_made(self.stack[-1]))

    def load_stop(self) -> None:
        """Judge what comes out, and end."""
        _check(self._guard.stored(self.stack[-1]))
        super().load_stop()


for _opcode, _act in (
    (pickle.REDUCE, AllowedUnpickler.load_reduce),
    (pickle.NEWOBJ, AllowedUnpickler.load_newobj),
    (pickle.NEWOBJ_EX, AllowedUnpickler.load_newobj_ex),
    (pickle.BUILD, AllowedUnpickler.load_build),
    (pickle.APPEND, AllowedUnpickler.load_append),
    (pickle.APPENDS, AllowedUnpickler.load_appends),
    (pickle.SETITEM, AllowedUnpickler.load_setitem),
    (pickle.SETITEMS, AllowedUnpickler.load_setitems),
    (pickle.ADDITEMS, AllowedUnpickler.load_additems),
    (pickle.FROZENSET, AllowedUnpickler.load_frozenset),
    (pickle.LIST, AllowedUnpickler.load_list),
    (pickle.DICT, AllowedUnpickler.load_dict),
    (pickle.BYTEARRAY8, AllowedUnpickler.load_bytearray8),
    (pickle.STOP, AllowedUnpickler.load_stop),
    (pickle.TUPLE, AllowedUnpickler.load_tuple),
    (pickle.TUPLE1, AllowedUnpickler.load_tuple1),
    (pickle.TUPLE2, AllowedUnpickler.load_tuple2),
    (pickle.TUPLE3, AllowedUnpickler.load_tuple3),
):
    AllowedUnpickler.dispatch[_opcode[0]] = _act


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
