"""Say what a mixture of two runs is, file by file and value by value.

Whoever executes it needs to know no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.compare.factors import threads_of
from samovar.compare.facts import CPU_VARIABLES, THREAD_VARIABLES, Facts
from samovar.core.run import RunFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samovar.compare.runner import Mixture

Content = RunFile | bytes
"""A stored file, or bytes that neither run has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Everything that an execution needs.

    Parameters
    ----------
    python : str
        Version of the interpreter.
    packages : mapping of str to str
        What the environment has, exactly.
    params : mapping
        Nested.
    code, data, models : mapping of str to RunFile or bytes
        By path.
    env : mapping of str to str or None
        Variables to set; None is to be unset. Those of threads and processor are among them.
    threads : int or None
        How many numeric libraries may start; None leaves it to the machine.
    cpu : str
        ``"a"`` or ``"b"``: whose processor facts and numerics are asked for.
    command : str
        What is run.
    numerics : str
        Level of pinned numerics.
    """

    python: str
    packages: Mapping[str, str]
    params: Mapping[str, Any]
    code: Mapping[str, Content]
    data: Mapping[str, Content]
    models: Mapping[str, Content]
    env: Mapping[str, str | None]
    threads: int | None
    cpu: str
    command: str
    numerics: str


def blend(a: Facts, b: Facts, mixture: Mixture) -> Blend:
    """Take from B what the mixture says, and the rest from A.

    Parameters
    ----------
    a, b : Facts
        Of the two runs.
    mixture : Mixture
        Names that are no factor between the two change nothing.
    """
    taken = mixture.taken
    threads = b if "machine:threads" in taken else a
    cpu = b if "machine:cpu" in taken else a
    env = _flat("env", a.env, b.env, taken)
    env.update({name: threads.env.get(name) for name in THREAD_VARIABLES if name in env})
    env.update({name: cpu.env.get(name) for name in CPU_VARIABLES if name in env})
    return Blend(
        python=(b if "python" in taken else a).python,
        packages={**_flat("package", a.packages, b.packages, taken), **mixture.packages},
        params=_nested(a.params, b.params, taken),
        code=_files("code", a.code, b.code, mixture),
        data=_files("data", a.data, b.data, mixture),
        models=_files("model", a.models, b.models, mixture),
        env=env,
        threads=threads_of(threads),
        cpu="b" if cpu is b else "a",
        command=(b if "command" in taken else a).command,
        numerics=cpu.numerics,
    )


def _flat(
    kind: str, a: Mapping[str, Any], b: Mapping[str, Any], taken: frozenset[str]
) -> dict[str, Any]:
    mixed = {}
    for name in {**a, **b}:
        side = b if f"{kind}:{name}" in taken else a
        if name in side:
            mixed[name] = side[name]
    return mixed


def _files(
    kind: str, a: Mapping[str, RunFile], b: Mapping[str, RunFile], mixture: Mixture
) -> dict[str, Content]:
    mixed: dict[str, Content] = _flat(kind, a, b, mixture.taken)
    mixed.update({path: data for path, data in mixture.files.items() if path in a or path in b})
    return mixed


def _nested(a: Mapping[str, Any], b: Mapping[str, Any], taken: frozenset[str]) -> dict[str, Any]:
    """Mix nested parameters leaf by leaf; the order of keys is A's, then B's."""
    one, other = dict(_leaves(a)), dict(_leaves(b))
    mixed: dict[str, Any] = {}
    # What is taken comes last: where A has a leaf and B a branch of the same name, B's counts.
    for from_b in (False, True):
        for path in {**one, **other}:
            side = other if from_b else one
            if (f"param:{'.'.join(path)}" in taken) is from_b and path in side:
                _put(mixed, path, side[path])
    return mixed


def _leaves(
    document: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in document.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        inner = document.get(key)
        if not isinstance(inner, dict):
            inner = document[key] = {}
        document = inner
    document[path[-1]] = value
