"""What the server's work costs: for each turn, for each request, for each row.

A turn answers all that arrived while the last one ran: the loop is woken once and the model called
once. Reading, writing and the rows come on top.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PARTS = ("turn_s", "request_s", "row_s")
_LEAST_S, _MOST_S = 1e-9, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a server did for a while, and how long it was busy with that.

    Parameters
    ----------
    turns, requests, rows : float
        Counts.
    busy_s : float
        Seconds.
    """

    turns: float
    requests: float
    rows: float
    busy_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of one processor.

    Parameters
    ----------
    turn_s : float
        For each turn, however much it answers.
    request_s : float
        For each request.
    row_s : float
        For each row.
    """

    turn_s: float
    request_s: float
    row_s: float

    def __post_init__(self) -> None:
        """Refuse what no work costs.

        Raises
        ------
        InvalidInput
            Naming the part.
        """
        for name in _PARTS:
            value = getattr(self, name)
            if not 0 <= value <= _MOST_S:
                raise InvalidInput(f"{name} is {value}: no cost in seconds.", code="invalid_cost")
        if self.turn_s + self.request_s + self.row_s < _LEAST_S:
            raise InvalidInput("A request that costs nothing needs no plan.", code="invalid_cost")

    def of_turn(self, requests: int, rows: int) -> float:
        """Give the seconds of one turn.

        Examples
        --------
        >>> Cost(turn_s=0.25, request_s=0.5, row_s=0.125).of_turn(requests=2, rows=8)
        2.25
        """
        return self.turn_s + self.request_s * requests + self.row_s * rows

    @classmethod
    def from_json(cls, document: Any) -> Cost:
        """Read the object that ``plan`` prints.

        Raises
        ------
        InvalidInput
            Where it is none.
        """
        try:
            return cls(**{name: float(document[name]) for name in _PARTS})
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                "This is no cost of a model.",
                why=f"Wanted are the numbers {', '.join(_PARTS)}.",
                hint="Give a file that 'samovar plan --json' printed.",
                code="invalid_cost",
            ) from error

    def to_json(self) -> dict[str, float]:
        """Give the object that ``plan`` prints."""
        return {name: getattr(self, name) for name in _PARTS}


def fit(samples: Sequence[Sample]) -> Cost:
    """Find the cost that explains samples best, each by its relative error, and no part negative.

    Parameters
    ----------
    samples : sequence of Sample
        Of different sizes; what they do not tell apart is put into the earlier part.

    Raises
    ------
    InvalidInput
        Where nothing was answered.
    """
    rows = [
        (sample.turns / sample.busy_s, sample.requests / sample.busy_s, sample.rows / sample.busy_s)
        for sample in samples
        if sample.busy_s > 0 and sample.turns > 0
    ]
    best: tuple[float, tuple[float, ...]] | None = None
    # Least squares without negative parts: with three unknowns all sets of positive ones are few.
    for chosen in (set_ for size in (1, 2, 3) for set_ in combinations(range(3), size)):
        parts = _solve(rows, chosen)
        if parts is None or min(parts) < 0:
            continue
        error = sum((1 - _dot(row, parts)) ** 2 for row in rows)
        if best is None or error < best[0] - 1e-12:
            best = (error, parts)
    if best is None:
        raise InvalidInput("The server answered nothing that could be measured.")
    return Cost(**dict(zip(_PARTS, best[1], strict=True)))


def _solve(
    rows: Sequence[tuple[float, float, float]], chosen: tuple[int, ...]
) -> tuple[float, ...] | None:
    """Solve the normal equations for some of the unknowns; the others are 0."""
    # Columns of one length: their sizes differ by orders of magnitude.
    lengths = [math.sqrt(sum(row[i] ** 2 for row in rows)) for i in chosen]
    if not all(lengths):
        return None
    columns = [[row[i] / length for row in rows] for i, length in zip(chosen, lengths, strict=True)]
    matrix = [[_dot(a, b) for b in columns] + [sum(a)] for a in columns]
    for pivot in range(len(chosen)):
        if matrix[pivot][pivot] < 1e-9:
            return None
        for other in range(len(chosen)):
            if other != pivot:
                share = matrix[other][pivot] / matrix[pivot][pivot]
                matrix[other] = [
                    x - share * y for x, y in zip(matrix[other], matrix[pivot], strict=True)
                ]
    parts = [0.0, 0.0, 0.0]
    for place, (i, length) in enumerate(zip(chosen, lengths, strict=True)):
        parts[i] = matrix[place][-1] / matrix[place][place] / length
    return tuple(parts)


def _dot(one: Iterable[float], other: Iterable[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
