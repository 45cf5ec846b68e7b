"""Say which row of A is which row of B: by a key, by position, or by what stands around it."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from samovar.compare.table import Table

Pair = tuple[int | None, int | None]
"""A row's number in A and in B; None where a side lacks it."""
_MOST_COST: Final = 5_000_000
"""Pairs of equal rows that a diff would look at; a second's work."""


def align(a: Table, b: Table) -> list[Pair]:
    """Pair the rows of two tables, in A's order; rows that B adds follow their neighbour.

    Rows that are only in another order are paired with their like.
    """
    if Counter(a.rows) == Counter(b.rows):
        return _like_by_like(a, b)
    in_place: list[Pair] = [(row, row) for row in range(len(a.rows))]
    if len(a.rows) == len(b.rows) and 2 * _equal_in_place(a, b) >= len(a.rows):
        return in_place
    key = _key(a, b)
    if key is not None:
        return _by_key(a, b, key)
    return in_place if len(a.rows) == len(b.rows) else _by_neighbours(a.rows, b.rows)


def _equal_in_place(a: Table, b: Table) -> int:
    return sum(one == other for one, other in zip(a.rows, b.rows, strict=True))


def _like_by_like(a: Table, b: Table) -> list[Pair]:
    places: dict[bytes, list[int]] = {}
    for place, row in enumerate(b.rows):
        places.setdefault(row, []).append(place)
    for found in places.values():
        found.reverse()
    return [(place, places[row].pop()) for place, row in enumerate(a.rows)]


def _key(a: Table, b: Table) -> str | None:
    """Find a column that names each row on both sides, and names mostly the same ones."""
    if not a.delimiter or not a.rows or not b.rows:
        return None
    for column in a.columns:
        if column not in b.columns:
            continue
        ones, others = _values(a, column), _values(b, column)
        left, right = set(ones), set(others)
        if len(left) < len(ones) or len(right) < len(others):
            continue
        # A measurement may be unique too; a key names what both sides know.
        if 2 * len(left & right) > max(len(left), len(right)) and _reads_as_key(ones):
            return column
    return None


def _reads_as_key(values: list[str]) -> bool:
    return not any("." in value for value in values)


def _values(table: Table, column: str) -> list[str]:
    place = table.columns.index(column)
    return [cells[place] if place < len(cells) else "" for cells in table.parsed]


def _by_key(a: Table, b: Table, key: str) -> list[Pair]:
    where = {value: place for place, value in enumerate(_values(b, key))}
    pairs: list[Pair] = []
    partner: dict[int, int] = {}
    for place, value in enumerate(_values(a, key)):
        other = where.get(value)
        pairs.append((place, other))
        if other is not None:
            partner[other] = place
    added = [(None, place) for place in range(len(b.rows)) if place not in partner]
    return _insert(pairs, added)


def _insert(pairs: list[Pair], added: list[tuple[None, int]]) -> list[Pair]:
    """Put each added row after the one that stands before it in B."""
    if not added:
        return pairs
    after: dict[int, list[Pair]] = {}
    new = {place for _, place in added}
    for _, place in added:
        before = place - 1
        while before in new:
            before -= 1
        after.setdefault(before, []).append((None, place))
    merged: list[Pair] = list(after.get(-1, ()))
    for pair in pairs:
        merged.append(pair)
        if pair[1] is not None:
            merged += after.get(pair[1], ())
    return merged


def _cost(left: list[bytes], right: list[bytes]) -> int:
    ones, others = Counter(left), Counter(right)
    return sum(count * others[row] for row, count in ones.items()) + len(left) + len(right)


def _by_neighbours(ones: list[bytes], others: list[bytes]) -> list[Pair]:
    start = 0
    shorter = min(len(ones), len(others))
    while start < shorter and ones[start] == others[start]:
        start += 1
    end = 0
    while end < shorter - start and ones[-1 - end] == others[-1 - end]:
        end += 1
    pairs: list[Pair] = [(row, row) for row in range(start)]
    left, right = ones[start : len(ones) - end], others[start : len(others) - end]
    if _cost(left, right) > _MOST_COST:
        blocks = [("replace", 0, len(left), 0, len(right))]
    else:
        matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
        blocks = list(matcher.get_opcodes())
    for _, low, high, other_low, other_high in blocks:
        common = min(high - low, other_high - other_low)
        pairs += [(start + low + i, start + other_low + i) for i in range(common)]
        pairs += [(start + row, None) for row in range(low + common, high)]
        pairs += [(None, start + row) for row in range(other_low + common, other_high)]
    shift = len(others) - len(ones)
    pairs += [(row, row + shift) for row in range(len(ones) - end, len(ones))]
    return pairs
