"""Other ways of finding causes, counted in the same coin: executions of a mixture."""

from __future__ import annotations

import random
from collections.abc import Callable

Subset = frozenset[str]
Judge = Callable[[Subset], str]
"""Says of a mixture whether it gives A's result, B's, or neither (``A``, ``B``, ``?``)."""


class Counter:
    """A judge that counts what it has not judged before."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.known: dict[Subset, str] = {}

    def __call__(self, taken: Subset) -> str:
        if taken not in self.known:
            self.known[taken] = self._judge(taken)
        return self.known[taken]


def ddmin(names: list[str], judge: Judge) -> tuple[set[str], int]:
    """Minimise B's changes until each is needed (Zeller and Hildebrandt, 2002, figure 5)."""
    counted = Counter(judge)
    left, parts = list(names), 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        pieces = [left[at : at + size] for at in range(0, len(left), size)]
        rests = [[name for name in left if name not in piece] for piece in pieces]
        smaller = next((p for p in pieces if counted(frozenset(p)) == "B"), None)
        if smaller is not None:
            left, parts = smaller, 2
            continue
        smaller = next((r for r in rests if counted(frozenset(r)) == "B"), None)
        if smaller is not None:
            left, parts = smaller, max(parts - 1, 2)
        elif parts < len(left):
            parts = min(2 * parts, len(left))
        else:
            break
    return set(left), len(counted.known)


def one_at_a_time(names: list[str], judge: Judge) -> tuple[set[str], int]:
    """Change each alone: A plus one."""
    counted = Counter(judge)
    return {name for name in names if counted(frozenset({name})) != "A"}, len(counted.known)


def stacked_shortcut(names: list[str], judge: Judge, seed: int = 0) -> tuple[set[str], int]:
    """Take B's values over one by one, keep what leaves A's result; twice, in other orders.

    After BugDoc's stacked shortcut (Lourenço, Freire and Shasha, 2020), which unites what each
    pass leaves.
    """
    counted = Counter(judge)
    blamed: set[str] = set()
    for shuffle in range(2):
        order = random.Random(seed + shuffle).sample(names, len(names))
        left = set(names)
        for name in order:
            if counted(frozenset(left - {name})) == "B":
                left.discard(name)
        blamed |= left
    return blamed, len(counted.known)


PEERS: dict[str, Callable[[list[str], Judge], tuple[set[str], int]]] = {
    "ddmin": ddmin,
    "one at a time": one_at_a_time,
    "BugDoc-like": stacked_shortcut,
}
