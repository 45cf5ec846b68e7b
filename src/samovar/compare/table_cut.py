"""Cut a guilty table into its order, its columns, and blocks of its rows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.alignment import align
from samovar.compare.cuts import Cut, short_rows
from samovar.compare.table import kind_of, read_table

if TYPE_CHECKING:
    from samovar.compare.alignment import Pair
    from samovar.compare.instrument import Subset
    from samovar.compare.table import Table

ORDER: Final = "order"
_MOST_BLOCKS: Final = 32
_FINE_ENOUGH: Final = 64
_SAMPLES: Final = 3


@dataclass(frozen=True)
class TableCut:
    """Two tables, paired row by row.

    Parameters
    ----------
    a, b : Table
        Both sides.
    pairs : list of Pair
        Rows that belong together, in A's order.
    is_reordered : bool
        Whether B has them in another order.
    columns : tuple of str
        Columns that are parts by themselves: added, removed, or changed in most rows.
    blocks : dict of str to list of int
        By name: places in ``pairs`` whose other cells differ.
    """

    a: Table
    b: Table
    pairs: list[Pair]
    is_reordered: bool
    columns: tuple[str, ...]
    blocks: dict[str, list[int]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """``order``, ``column NAME``, ``rows A-B``."""
        order = (ORDER,) if self.is_reordered else ()
        return (*order, *(f"column {name}" for name in self.columns), *self.blocks)

    def values(self, name: str) -> tuple[Any, Any]:
        """Give the first rows, or the column's first values that differ."""
        if name == ORDER:
            return _first(self.a, range(len(self.a.rows))), _first(self.b, range(len(self.b.rows)))
        if name in self.blocks:
            pairs = [self.pairs[place] for place in self.blocks[name]]
            ones = [one for one, _ in pairs if one is not None]
            others = [other for _, other in pairs if other is not None]
            return _first(self.a, ones), _first(self.b, others)
        column = name.partition(" ")[2]
        return tuple(short_rows(_column(table, column)[:_SAMPLES]) for table in (self.a, self.b))  # type: ignore[return-value] # two of them

    def compose(self, taken: Subset) -> bytes | None:
        """Give the table with some parts from B; records that are not mixed keep their bytes."""
        columns = self._columns(taken)
        from_b = {place for name in taken for place in self.blocks.get(name, ())}
        head = self._head(columns)
        places = self._in_order_of_b() if ORDER in taken else range(len(self.pairs))
        rows = [self._row(place, columns, is_bs=place in from_b) for place in places]
        return b"".join([head, *(row for row in rows if row is not None)])

    def finer(self, names: Subset) -> Cut | None:
        """Cut a big block of rows into its rows."""
        places = sorted(place for name in names for place in self.blocks.get(name, ()))
        if not names <= self.blocks.keys() or len(places) < _FINE_ENOUGH:
            return None
        return replace(self, blocks=_named(self.pairs, [[place] for place in places]))

    def _columns(self, taken: Subset) -> list[tuple[str, bool]]:
        """Give the columns of the mixture in order, and whether each is B's."""
        mine = {name for name in self.columns if f"column {name}" in taken}
        # With all the columns that differ, their order is B's too.
        first, second = (self.b, self.a) if set(self.columns) == mine else (self.a, self.b)
        mixed = []
        for name in dict.fromkeys([*first.columns, *second.columns]):
            is_part = name in self.columns
            side = self.b if is_part and name in mine else self.a
            if name in side.columns:
                mixed.append((name, is_part and name in mine))
        return mixed

    def _head(self, columns: list[tuple[str, bool]]) -> bytes:
        names = [name for name, _ in columns]
        for table in (self.a, self.b):
            if table.columns == names:
                return table.head
        return self.a.record(names)

    def _row(self, place: int, columns: list[tuple[str, bool]], *, is_bs: bool) -> bytes | None:
        one, other = self.pairs[place]
        if one is None or other is None:
            # A row that one side lacks is there or not, as a whole.
            if is_bs is (other is None):
                return None
            side, row = (self.b, other) if one is None else (self.a, one)
            return _whole(side, row or 0, columns)
        if self.a.rows[one] == self.b.rows[other] and self.a.columns == self.b.columns:
            return _ended(self.a.rows[one])
        choices = {from_b or (is_bs and name not in self.columns) for name, from_b in columns}
        names = [name for name, _ in columns]
        if choices == {False} and names == self.a.columns:
            return _ended(self.a.rows[one])
        if choices == {True} and names == self.b.columns:
            return _ended(self.b.rows[other])
        cells = []
        for name, from_b in columns:
            use_b = from_b or (is_bs and name not in self.columns)
            table, row = (self.b, other) if use_b and name in self.b.columns else (self.a, one)
            cells.append(_cell(table, row, name))
        return self.a.record(cells)

    def _in_order_of_b(self) -> list[int]:
        """Give the places in B's order; a row that B lacks stays behind its neighbour in A."""
        keys, last = [], -1
        for _, other in self.pairs:
            last = last if other is None else other
            keys.append(last)
        return sorted(range(len(self.pairs)), key=lambda place: (keys[place], place))

    def summary(self) -> dict[str, Any]:
        """Say in numbers and samples how the tables differ."""
        kinds = [
            {"column": name, "a": one, "b": other}
            for name in self.a.columns
            if name in self.b.columns
            and (one := kind_of(_column(self.a, name))) != (other := kind_of(_column(self.b, name)))
        ]
        changed = [self.pairs[place] for rows in self.blocks.values() for place in rows]
        return {
            "rows": {"a": len(self.a.rows), "b": len(self.b.rows)},
            "reordered": self.is_reordered,
            "columns_added": [name for name in self.b.columns if name not in self.a.columns],
            "columns_removed": [name for name in self.a.columns if name not in self.b.columns],
            "columns_changed": [
                name for name in self.columns if name in self.a.columns and name in self.b.columns
            ],
            "dtypes": kinds,
            "rows_added": sum(one is None for one, _ in self.pairs),
            "rows_removed": sum(other is None for _, other in self.pairs),
            "rows_changed": sum(None not in pair for pair in changed),
            "samples": [
                {
                    "row": one if one is not None else other,
                    "a": None if one is None else self.a.parsed[one],
                    "b": None if other is None else self.b.parsed[other],
                }
                for one, other in changed[:_SAMPLES]
            ],
        }


def cut_table(path: str, one: bytes, other: bytes) -> TableCut | None:
    """Pair two tables and name the parts in which they differ; None where they are no tables."""
    a, b = read_table(path, one), read_table(path, other)
    if a is None or b is None:
        return None
    pairs = align(a, b)
    both = [other for one, other in pairs if one is not None and other is not None]
    reordered = any(before > after for before, after in itertools.pairwise(both))
    differing = {name: _differing(a, b, pairs, name) for name in a.columns if name in b.columns}
    most = max(1, len(both) // 2)
    columns = [name for name, rows in differing.items() if len(rows) > most]
    columns += [name for name in dict.fromkeys([*a.columns, *b.columns]) if name not in differing]
    places = {place for name, rows in differing.items() if name not in columns for place in rows}
    places |= {place for place, pair in enumerate(pairs) if None in pair}
    blocks = _named(pairs, _runs(sorted(places)))
    cut = TableCut(
        a=a, b=b, pairs=pairs, is_reordered=reordered, columns=tuple(columns), blocks=blocks
    )
    return cut if cut.names else None


def _differing(a: Table, b: Table, pairs: list[Pair], name: str) -> list[int]:
    left, right = _column(a, name), _column(b, name)
    return [
        place
        for place, (one, other) in enumerate(pairs)
        if one is not None and other is not None and left[one] != right[other]
    ]


def _runs(places: list[int]) -> list[list[int]]:
    """Cut places into runs without gaps; neighbouring runs go together where there are many."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    size = max(1, -(-len(runs) // _MOST_BLOCKS))
    return [
        list(itertools.chain.from_iterable(runs[at : at + size]))
        for at in range(0, len(runs), size)
    ]


def _named(pairs: list[Pair], pieces: list[list[int]]) -> dict[str, list[int]]:
    """Name blocks by A's rows, or by B's where A has none of them."""
    blocks: dict[str, list[int]] = {}
    for piece in pieces:
        ones = [pairs[place][0] for place in piece if pairs[place][0] is not None]
        rows = ones or [pairs[place][1] for place in piece]
        numbers = [row for row in rows if row is not None]
        blocks.setdefault(f"rows {min(numbers)}-{max(numbers)}", []).extend(piece)
    return blocks


def _first(table: Table, rows: Any) -> str | None:
    return short_rows([table.parsed[row] for row in list(rows)[:_SAMPLES]])


def _column(table: Table, name: str) -> list[str]:
    if name not in table.columns:
        return []
    place = table.columns.index(name)
    return [cells[place] if place < len(cells) else "" for cells in table.parsed]


def _cell(table: Table, row: int, name: str) -> str:
    place = table.columns.index(name) if name in table.columns else -1
    cells = table.parsed[row]
    return cells[place] if 0 <= place < len(cells) else ""


def _whole(table: Table, row: int, columns: list[tuple[str, bool]]) -> bytes:
    names = [name for name, _ in columns]
    if names == table.columns:
        return _ended(table.rows[row])
    return table.record([_cell(table, row, name) for name in names])


def _ended(record: bytes) -> bytes:
    return record if record.endswith((b"\n", b"\r")) else record + b"\n"
