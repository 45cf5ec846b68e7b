"""Read a pickle stream without executing it: a symbolic stack machine that judges every act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.core.allowlist import GETATTR, Global
from samovar.model.judging_machine import JudgingMachine, bearable, name_behind
from samovar.model.opcodes import ACTS, STOP
from samovar.model.source import broken
from samovar.model.values import Blob, Instance, Mapping, Name, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.core.allowlist import Policy
    from samovar.model.findings import Log
    from samovar.model.source import Source

GROWTH_CHECK: Final = 1 << 12
MAX_ACTS: Final = 50_000_000


class PickleReader(JudgingMachine):
    """Follow one pickle stream from its first opcode to STOP.

    Parameters
    ----------
    source : Source
        At the beginning of the stream; left after STOP.
    policy : Policy
        Judges what the stream names.
    log : Log
        Takes the findings.
    max_acts : int
        Opcodes after which the stream is given up.
    """

    def __init__(
        self, source: Source, policy: Policy, log: Log, *, max_acts: int = MAX_ACTS
    ) -> None:
        super().__init__(source, policy, log)
        self._max_acts = max_acts
        self.acts = 0
        self._table: list[Callable[[], object] | None] = [None] * 256
        for code, act in ACTS.items():
            self._table[code[0]] = getattr(self, act)

    def run(self) -> Any:
        """Carry out the stream symbolically and give what it would make.

        Raises
        ------
        InvalidModel
            With the code ``broken_stream`` where it cannot be followed to STOP.
        """
        read, table, acts = self.source.read_some, self._table, 0
        try:
            while (code := read(1)) != STOP:
                if not code:
                    raise broken("The stream ends before STOP.")
                act = table[code[0]]
                if act is None:
                    raise broken(f"There is no opcode {code!r}.")
                act()
                acts += 1
                if not acts % GROWTH_CHECK:
                    self.check_growth()
                    if acts > self._max_acts:
                        raise broken("The stream has more opcodes than a model of its size.")
            value = self.stack.pop()
        except IndexError:
            raise broken("An opcode takes more from the stack than there is.") from None
        except ValueError as error:
            raise broken(f"A constant cannot be read: {error}.") from error
        finally:
            self.acts += acts
        self.keep(value)
        self.log.protocol = max(self.log.protocol, self.protocol)
        return value

    # Names

    def _push_global(self, module: Any, name: Any, offset: int) -> None:
        if type(module) is not str or type(name) is not str:
            self.refuse(
                name_behind(module) or name_behind(name),
                f"a name is computed while loading, from {describe(module)} and {describe(name)}",
            )
            self.stack.append(Instance(None, (), known=False))
            return
        what = Global.of_stream(module, name)
        self.log.seen(str(what))
        pushed = Name(what, offset)
        if self.policy.entry(what) is None:
            self.log.strangers.add(str(what))
            self.refuse(pushed, f"{what} is not on the allowlist")
        self.stack.append(pushed)

    def global_lines(self) -> None:
        """GLOBAL."""
        offset = self.source.position() - 1
        module = self.source.line().decode("utf-8")
        self._push_global(module, self.source.line().decode("utf-8"), offset)

    def stack_global(self) -> None:
        """STACK_GLOBAL."""
        name, module = self.stack.pop(), self.stack.pop()
        self._push_global(module, name, self.source.position() - 1)

    def _extension(self, code: bytes) -> None:
        number = int.from_bytes(code, "little")
        self.refuse(None, f"extension {number}: what it names is known only to the loader")
        self.stack.append(Instance(None, (), known=False))

    def ext_1(self) -> None:
        """EXT1."""
        self._extension(self.source.read(1))

    def ext_2(self) -> None:
        """EXT2."""
        self._extension(self.source.read(2))

    def ext_4(self) -> None:
        """EXT4."""
        self._extension(self.source.read(4))

    def persistent_line(self) -> None:
        """PERSID."""
        self.stack.append(self.source.line().decode("ascii"))
        self.persistent()

    def persistent(self) -> None:
        """BINPERSID."""
        identifier = self.stack.pop()
        self.keep(identifier)
        self.refuse(
            name_behind(identifier),
            f"the persistent id {describe(identifier)} stands for an object outside the file",
        )
        self.stack.append(Instance(None, (), known=False))

    def next_buffer(self) -> None:
        """NEXT_BUFFER."""
        self.refuse(None, "an out-of-band buffer is wanted, which the file does not carry")
        self.stack.append(Instance(None, (), known=False))

    def readonly_buffer(self) -> None:
        """READONLY_BUFFER changes nothing that is known here."""
        self.stack.append(self.stack.pop())

    # Calls and states

    def reduce(self) -> None:
        """REDUCE."""
        args, callee = self.stack.pop(), self.stack.pop()
        self._call(callee, args)

    def inst(self) -> None:
        """INST."""
        offset = self.source.position() - 1
        module = self.source.line().decode("ascii")
        self._push_global(module, self.source.line().decode("ascii"), offset)
        callee = self.stack.pop()
        self._instantiate(callee, tuple(self.pop_mark()))

    def obj(self) -> None:
        """OBJ."""
        items = self.pop_mark()
        callee = items.pop(0)
        self._instantiate(callee, tuple(items))

    def _instantiate(self, callee: Any, args: tuple[Any, ...]) -> None:
        self.on_tuple(args)
        if args or not isinstance(callee, Name):
            self._call(callee, args)
        else:
            self._new(callee, (), named=False)

    def newobj(self) -> None:
        """NEWOBJ."""
        args, cls = self.stack.pop(), self.stack.pop()
        self._new(cls, args, named=False)

    def newobj_ex(self) -> None:
        """NEWOBJ_EX."""
        kwargs, args, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        empty = isinstance(kwargs, Mapping) and not kwargs and not kwargs.has_odd_keys
        self._new(cls, args, named=not empty)

    def _call(self, callee: Any, args: Any) -> None:
        if not isinstance(callee, Name):
            self.refuse(name_behind(callee), f"{describe(callee)} is called")
        elif str(callee.what) == GETATTR and self._method(callee, args):
            return
        elif not isinstance(args, tuple):
            self.refuse(callee, f"{callee.what} is called with {describe(args)} as its arguments")
        elif self.policy.entry(callee.what) is None:
            self.refuse(callee, f"{callee.what} is called with {describe(args)}")
        else:
            self.object_to(self.guard.call(callee.what, args), callee)
            made = self._result(callee, args)
            if isinstance(made, Instance):
                self._note(made).weight = self.weight(args)
            self.stack.append(made)
            return
        name = callee if isinstance(callee, Name) else name_behind(callee)
        self.stack.append(Instance(name, (), known=False))

    def _method(self, callee: Name, args: Any) -> bool:
        """Take the look-up of a listed method for the method's name; streams have no other way."""
        if not isinstance(args, tuple) or len(args) != 2:
            return False
        owner = args[0].cls if isinstance(args[0], Instance) and args[0].known else args[0]
        method = self.guard.method(owner.what, args[1]) if isinstance(owner, Name) else None
        if method is None:
            return False
        self.log.seen(str(method))
        self.log.withdraw(GETATTR, callee.offset)
        self.stack.append(Name(method, callee.offset))
        return True

    def _new(self, cls: Any, args: Any, *, named: bool) -> None:
        if not isinstance(cls, Name) or not isinstance(args, tuple):
            self.refuse(name_behind(cls), f"{describe(cls)} makes an instance")
            self.stack.append(Instance(name_behind(cls), (), known=False))
            return
        if self.policy.entry(cls.what) is None:
            self.refuse(cls, f"an instance of {cls.what} is made with {describe(args)}")
        else:
            self.object_to(self.guard.new(cls.what, args, named=named), cls)
        self.stack.append(self._note(Instance(cls, args, known=True)))

    def _note(self, made: Instance) -> Instance:
        cls = made.cls.what if made.cls is not None and made.known else None
        made.made = self.guard.made(made, cls, made.args)
        return made

    def _result(self, callee: Name, args: tuple[Any, ...]) -> Instance | Blob:
        entry = self.policy.entry(callee.what)
        gives = entry.gives if entry is not None else None
        if gives == "itself":
            return Instance(callee, args, known=True)
        if gives == "first":
            first = args[0] if args and isinstance(args[0], Name) else None
            return Instance(first, args, known=first is not None)
        if gives == "bytes":
            return Blob("bytes", 0)
        if gives is not None:
            module, _, name = gives.rpartition(".")
            return Instance(Name(Global(module, name), callee.offset), args, known=True)
        return Instance(callee, args, known=False)

    def build(self) -> None:
        """BUILD."""
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Instance) or target.cls is None or not target.known:
            self.keep(state)
            self.refuse(name_behind(target), f"the state of {describe(target)} is set")
            return
        if target.built:
            self.refuse(target.cls, f"the state of {describe(target)} is set twice")
        elif self.policy.entry(target.cls.what) is None:
            self.refuse(target.cls, f"an instance of {target.cls.what} is made and given a state")
        elif target.made is not None:
            self.object_to(self.guard.state(target.made, target.cls.what, state), target.cls)
        target.built, target.state = True, state
        target.weight = bearable(target.weight + self.weight(state))
        self._note_version(state)
        self.on_built(target)

    def on_built(self, made: Instance) -> None:
        """Do what a container's own reader does after BUILD."""

    def _note_version(self, state: Any) -> None:
        if isinstance(state, Mapping) and isinstance(state.get("_sklearn_version"), str):
            self.log.versions.setdefault("scikit-learn", state["_sklearn_version"])
