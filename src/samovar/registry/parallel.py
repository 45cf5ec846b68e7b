"""Do several things at once, and stop them all where one fails."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_GRACE_S: Final = 2.0
_LOOK_S: Final = 0.5


def run_all(work: Iterable[Callable[[], None]], *, threads: int, stop: threading.Event) -> None:
    """Do all the work in some threads; the first error ends it and is raised.

    The threads are daemons: an interrupted program does not wait for a silent registry.

    Parameters
    ----------
    work : iterable of callable
        In the order in which it is begun.
    threads : int
        How many at once.
    stop : threading.Event
        Set where it fails or is interrupted; the work looks at it.
    """
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    count = 0
    for one in work:
        waiting.put(one)
        count += 1
    failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    workers = [
        threading.Thread(target=_work, args=(waiting, failures, stop), daemon=True)
        for _ in range(min(threads, count))
    ]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            while worker.is_alive():
                worker.join(_LOOK_S)  # an endless join cannot be interrupted on Windows
    except BaseException:
        stop.set()
        for worker in workers:
            worker.join(_GRACE_S / len(workers))
        raise
    if not failures.empty():
        raise failures.get()


def _work(
    waiting: queue.SimpleQueue[Callable[[], None]],
    failures: queue.SimpleQueue[BaseException],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            one = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            one()
        except BaseException as error:  # noqa: BLE001  # raised again where all is joined
            failures.put(error)
            stop.set()
