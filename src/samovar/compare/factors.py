"""Factors: what differs between two runs or bundles and can change the result.

A factor has one name, the same everywhere: ``package:NAME``, ``python``, ``param:DOTTED.PATH``,
``code:FILE``, ``data:FILE``, ``model:FILE``, ``env:NAME``, ``machine:threads``, ``machine:cpu``,
``command``. Comments, formatting and docstrings that nothing reads are not factors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samovar.compare.code import is_same_program
from samovar.compare.facts import CPU_VARIABLES, THREAD_VARIABLES
from samovar.core.run import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from samovar.compare.facts import Facts
    from samovar.core.run import RunFile

    Read = Callable[[RunFile], bytes | None]

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One thing that differs.

    Parameters
    ----------
    name : str
        As the module says.
    a, b : object
        Both values, as JSON; None where a side has none.
    detail : mapping
        What more is known: for data, how rows, columns and values differ.
    """

    name: str
    a: Any
    b: Any
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``package``, ``python``, ``param``, ``code``, ``data``, ``env``, ``machine``, ..."""
        return self.name.partition(":")[0]

    @property
    def subject(self) -> str:
        """What comes after the kind: a package, a file, a dotted path, a variable."""
        return self.name.partition(":")[2]

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``diff`` prints."""
        document = {"factor": self.name, "a": self.a, "b": self.b}
        return {**document, "detail": dict(self.detail)} if self.detail else document


def factors_between(
    a: Facts, b: Facts, read_a: Read | None = None, read_b: Read | None = None
) -> tuple[Factor, ...]:
    """Give every factor that differs, in the order python, packages, params, code, data, ...

    Parameters
    ----------
    a, b : Facts
        Of two runs or bundles.
    read_a, read_b : callable, optional
        Give a side's code file, None where it is not kept. Without them, or where one gives None,
        files are compared by digest alone.
    """
    found: list[Factor] = []
    if a.python != b.python:
        found.append(Factor(name="python", a=a.python, b=b.python))
    found += _pairs("package", a.packages, b.packages)
    found += _pairs("param", flatten(a.params), flatten(b.params))
    found += _files("code", a.code, b.code, read_a, read_b)
    found += _files("data", a.data, b.data)
    found += _files("model", a.models, b.models)
    found += _pairs("env", _own_variables(a), _own_variables(b))
    found += _machine(a, b)
    if a.command != b.command:
        found.append(Factor(name="command", a=a.command, b=b.command))
    return tuple(found)


def _pairs(kind: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Factor]:
    for name in sorted({*a, *b}):
        one, other = a.get(name, _ABSENT), b.get(name, _ABSENT)
        # 1, 1.0 and true are three values to a script, and equal to Python.
        if type(one) is not type(other) or one != other:
            yield Factor(
                name=f"{kind}:{name}",
                a=None if one is _ABSENT else one,
                b=None if other is _ABSENT else other,
            )


def _files(
    kind: str,
    a: Mapping[str, RunFile],
    b: Mapping[str, RunFile],
    read_a: Read | None = None,
    read_b: Read | None = None,
) -> Iterator[Factor]:
    for path in sorted({*a, *b}):
        one, other = a.get(path), b.get(path)
        if one is not None and other is not None:
            if one.digest == other.digest:
                continue
            if read_a is not None and read_b is not None:
                left, right = read_a(one), read_b(other)
                if left is not None and right is not None and is_same_program(path, left, right):
                    continue
        yield Factor(
            name=f"{kind}:{path}",
            a=None if one is None else str(one.digest),
            b=None if other is None else str(other.digest),
        )


def _own_variables(facts: Facts) -> dict[str, str]:
    """Give the variables that are set and are no fact of the machine; unset is absent."""
    hardware = {*THREAD_VARIABLES, *CPU_VARIABLES}
    return {
        name: value
        for name, value in facts.env.items()
        if value is not None and name not in hardware
    }


def _machine(a: Facts, b: Facts) -> Iterator[Factor]:
    describers: dict[str, Callable[[Facts], Any]] = {
        "threads": threads_of,
        "cpu": cpu_of,
        "system": _system_of,
        "gpu": lambda facts: ", ".join(facts.machine.get("gpus", ())) or None,
    }
    for name, describe in describers.items():
        one, other = describe(a), describe(b)
        if one != other:
            yield Factor(name=f"machine:{name}", a=one, b=other)


def threads_of(facts: Facts) -> int | None:
    """Give how many threads numeric libraries started; None where it is not recorded."""
    for name in THREAD_VARIABLES:
        asked = (facts.env.get(name) or "").split(",")[0]
        if asked.isdigit():
            return int(asked)
    threads: int | None = facts.machine.get("threads")
    return threads


def cpu_of(facts: Facts) -> str | None:
    """Describe the processor and what chooses code by it, in one line."""
    machine = facts.machine
    parts = [str(machine[key]) for key in ("architecture", "cpu") if machine.get(key)]
    kernel = facts.env.get("OPENBLAS_CORETYPE") or machine.get("blas_kernel")
    if kernel:
        parts.append(f"kernel {kernel}")
    if facts.numerics != "native":
        parts.append(f"numerics {facts.numerics}")
    parts += [
        f"{name}={facts.env[name]}"
        for name in CPU_VARIABLES
        if facts.env.get(name) and name != "OPENBLAS_CORETYPE"
    ]
    return ", ".join(parts) or None


def _system_of(facts: Facts) -> str | None:
    machine = facts.machine
    return ", ".join(str(machine[key]) for key in ("system", "libc") if machine.get(key)) or None
