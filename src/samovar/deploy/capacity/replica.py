"""A replica as the queues see it: processors, workers, bounds; and what it can do at most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import UserError

if TYPE_CHECKING:
    from samovar.deploy.capacity.cost import Cost

PERIOD_S: Final = 0.1
"""The kernel deals out a quota of processor time anew for each period (cpu.cfs_period_us)."""

_LEAST_RATE: Final = 0.001
_MOST_RATE: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What clients ask.

    Parameters
    ----------
    rate_per_s : float
        Requests a second, all together; they come independently of each other.
    rows : int
        In each request.
    """

    rate_per_s: float
    rows: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no load.

        Raises
        ------
        UserError
            Naming what is wrong.
        """
        if not _LEAST_RATE <= self.rate_per_s <= _MOST_RATE:
            raise UserError(
                f"{self.rate_per_s} requests a second are no load: from {_LEAST_RATE} to "
                f"{_MOST_RATE:.0f} are."
            )
        if self.rows < 1:
            raise UserError(f"A request has at least one row, not {self.rows}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One replica.

    Parameters
    ----------
    cpus : float
        Its quota of processor time.
    workers : int
        Its processes; connections are dealt out to them by the kernel, at random.
    merges : bool
        Whether requests share a call of the model (the receipt's ``batching`` is ``identical``).
    max_queue : int
        Requests that may wait at a worker; further ones get 503.
    max_rows : int
        Rows in a call that is put together from several requests.
    """

    cpus: float = 1.0
    workers: int = 1
    merges: bool = True
    max_queue: int = 1024
    max_rows: int = 1024

    def __post_init__(self) -> None:
        """Refuse workers that would have to share a processor.

        Raises
        ------
        UserError
            Where there are more of them than whole processors.
        """
        if not 1 <= self.workers <= max(1.0, self.cpus):
            raise UserError(f"{self.workers} workers on {self.cpus:g} processors are not planned.")

    @property
    def is_throttled(self) -> bool:
        """Whether its one worker could use more of a processor than it has."""
        return self.cpus < self.workers

    def largest_turn(self, load: Load) -> int:
        """Give the most requests that one turn answers."""
        return max(1, min(self.max_queue, self.max_rows // load.rows)) if self.merges else 1

    def capacity(self, cost: Cost, load: Load) -> float:
        """Give the requests a second that it answers at most.

        Examples
        --------
        >>> from samovar.deploy.capacity.cost import Cost
        >>> call = Cost(turn_s=0.015, request_s=0.001, row_s=0.004)
        >>> one = Shape(merges=False).capacity(call, Load(rate_per_s=1))
        >>> ten = Shape(max_rows=10).capacity(call, Load(rate_per_s=1))
        >>> round(one), round(ten)
        (50, 154)
        """
        most = self.largest_turn(load)
        return min(self.cpus, self.workers) * most / cost.of_turn(most, most * load.rows)

    def to_json(self) -> dict[str, Any]:
        """Give what ``plan`` prints of it."""
        return {"cpus": self.cpus, "workers": self.workers}


def workers_of(cpus: float, *, is_dear: bool) -> int:
    """Give the workers that ``samovar serve`` starts by itself (docs/decisions/0005-server.md)."""
    return max(1, math.floor(cpus)) if is_dear else 1
