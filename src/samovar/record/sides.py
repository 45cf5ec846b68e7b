"""What ``diff`` and ``why`` compare: a run, or a bundle, with its facts and its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.bundle.opened import read_code
from samovar.bundle.resolve import resolve
from samovar.bundle.target import read_target
from samovar.compare.diff import difference
from samovar.compare.facts import Facts, facts_of_bundle, facts_of_run
from samovar.env.interpreters import find_interpreter
from samovar.env.lock import Lock
from samovar.errors import Damaged, NotFound, Unavailable
from samovar.record.chunks import read_file
from samovar.record.environments import packages_of
from samovar.record.runs import Run, find_or_pull_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.bundle.opened import Bundle
    from samovar.compare.factors import Factor
    from samovar.core.run import RunFile
    from samovar.store.home import Home
    from samovar.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two things that are compared.

    Parameters
    ----------
    name : str
        As it was asked for.
    facts : Facts
        What it was made from.
    read : callable
        Gives a code or data file, None where it is not kept.
    run : Run or None
        Where it is a run.
    bundle : Bundle or None
        Where it is a bundle.
    """

    name: str
    facts: Facts
    read: Callable[[RunFile], bytes | None]
    run: Run | None = None
    bundle: Bundle | None = None


def find_side(home: Home, store: Store, text: str, progress: Callable[[str], None]) -> Side:
    """Find a run, or else a bundle, by what was typed.

    Raises
    ------
    NotFound
        Where there is neither.
    """
    try:
        run = find_or_pull_run(store, text, progress)
    except NotFound as missing:
        try:
            _, bundle = resolve(home, store, read_target(text, store), progress)
        except (NotFound, Unavailable):
            raise missing from None
        return side_of_bundle(store, text, bundle)
    return side_of_run(store, text, run)


def side_of_run(store: Store, name: str, run: Run) -> Side:
    """Give a run as a side."""

    def read(file: RunFile) -> bytes | None:
        try:
            return b"".join(read_file(store, file))
        except Damaged:
            return None

    return Side(name=name, facts=facts_of_run(run.record), read=read, run=run)


def side_of_bundle(store: Store, name: str, bundle: Bundle) -> Side:
    """Give a bundle as a side; its packages are those that its lock has for this machine."""
    document = bundle.document
    packages = packages_of(Lock.from_bytes(bundle.lock), find_interpreter(document.python))
    held: dict[str, bytes] = {}

    def read(file: RunFile) -> bytes | None:
        if not held:
            held.update(read_code(store, bundle))
        return held.get(file.path)

    return Side(name=name, facts=facts_of_bundle(document, packages), read=read, bundle=bundle)


def diff_sides(a: Side, b: Side) -> tuple[Factor, ...]:
    """Give every factor that differs between two sides; nothing is executed."""
    return difference(a.facts, b.facts, a.read, b.read)
