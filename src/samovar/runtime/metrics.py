"""Counters in memory that all workers share, and their Prometheus text.

Each worker writes a block of its own; whoever is asked adds the blocks up, so the counts are
totals over all workers, those that were replaced included.

References
----------
Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

import mmap
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.http_errors import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENDPOINTS: Final = (
    "other", "/", "/predict", "/v2/infer", "/v2", "/v2/health", "/v2/models", "/invocations",
    "/ping", "/version", "/metrics", "/openapi.json", "/docs",
)  # fmt: skip
"""Rows of the request counts; a path's own place is :func:`endpoint`."""
_OWN: Final = tuple(status for status in REASONS if status >= 200)
STATUSES: Final = (*map(str, _OWN), "1xx", "2xx", "3xx", "4xx", "5xx")
"""Those that the server gives by name; applications' others by class."""
SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0
)  # fmt: skip
ROWS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
SHADOW: Final = ("identical", "equivalent", "different", "failed", "skipped")
"""What became of a shadow's answers."""
CANARY: Final = ("answered", "refused", "failed")
"""What became of the requests that a canary was given."""
_STATUS_INDEX: Final = {status: index for index, status in enumerate(_OWN)}
_REQUESTS: Final = len(ENDPOINTS) * len(STATUSES)
_LATENCY: Final = _REQUESTS
_LATENCY_SUM: Final = _LATENCY + len(SECONDS) + 1
_BATCH: Final = _LATENCY_SUM + 1
_BATCH_SUM: Final = _BATCH + len(ROWS) + 1
_MODEL_SUM: Final = _BATCH_SUM + 1
_QUEUE: Final = _MODEL_SUM + 1
_IN_FLIGHT: Final = _QUEUE + 1
_CONNECTIONS: Final = _IN_FLIGHT + 1
_ACCEPTED: Final = _CONNECTIONS + 1
_STARTS: Final = _ACCEPTED + 1
_CPU: Final = _STARTS + 1
_SHADOW: Final = _CPU + 1
_CANARY: Final = _SHADOW + len(SHADOW)
_BLOCK: Final = _CANARY + len(CANARY)
_GAUGES: Final = (_QUEUE, _IN_FLIGHT, _CONNECTIONS)


def endpoint(path: str) -> int:
    """Give the row of a path."""
    return ENDPOINTS.index(path)


class SharedCounts:
    """Memory for the blocks of some workers, to be made before they are forked."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, max(mmap.PAGESIZE, workers * _BLOCK * 8))
        self._all: Any = memoryview(self._memory).cast("d")
        self.workers = workers

    def of_worker(self, number: int) -> Metrics:
        """Give a worker's own block; its gauges start at zero."""
        return Metrics(self, self._all[number * _BLOCK : (number + 1) * _BLOCK])

    def totals(self) -> list[float]:
        """Add up the blocks."""
        blocks = [self._all[i * _BLOCK : (i + 1) * _BLOCK] for i in range(self.workers)]
        return [sum(values) for values in zip(*blocks, strict=True)]


class Metrics:
    """One worker's counts."""

    def __init__(self, shared: SharedCounts, block: Any) -> None:
        self._shared = shared
        self._block = block
        self._cpu_before_s = block[_CPU]
        for gauge in _GAUGES:
            block[gauge] = 0.0
        block[_STARTS] += 1

    def count(self, endpoint: int, status: int) -> None:
        """Count a reply."""
        index = _STATUS_INDEX.get(status)
        if index is None:
            index = len(_OWN) - 1 + min(5, max(1, status // 100))
        self._block[endpoint * len(STATUSES) + index] += 1

    def count_ok(self, endpoint: int, number: int) -> None:
        """Count some replies with status 200."""
        self._block[endpoint * len(STATUSES)] += number

    def observe_latency(self, seconds: float) -> None:
        """Count the time from a whole request to its reply."""
        self._block[_LATENCY + bisect_left(SECONDS, seconds)] += 1
        self._block[_LATENCY_SUM] += seconds

    def observe_batch(self, rows: int, seconds: float) -> None:
        """Count a call of the model."""
        self._block[_BATCH + bisect_left(ROWS, rows)] += 1
        self._block[_BATCH_SUM] += rows
        self._block[_MODEL_SUM] += seconds

    def count_shadow(self, verdict: str) -> None:
        """Count an answer of a shadow."""
        self._block[_SHADOW + SHADOW.index(verdict)] += 1

    def count_canary(self, outcome: str) -> None:
        """Count a request that a canary was given."""
        self._block[_CANARY + CANARY.index(outcome)] += 1

    def forget_aside(self) -> None:
        """Begin to count anew for another shadow or canary."""
        for place in range(_SHADOW, _BLOCK):
            self._block[place] = 0.0

    def connected(self, held: int) -> None:
        """Count a new connection."""
        self._block[_ACCEPTED] += 1
        self._block[_CONNECTIONS] = held

    def gauge(self, queue: int, in_flight: int, connections: int) -> None:
        """Set what is now."""
        self._block[_QUEUE] = queue
        self._block[_IN_FLIGHT] = in_flight
        self._block[_CONNECTIONS] = connections
        self.used()

    def used(self) -> None:
        """Note this process's processor time beside that of those it replaced."""
        self._block[_CPU] = self._cpu_before_s + time.process_time()

    def text(self, info: dict[str, str]) -> bytes:
        """Write all workers' totals for Prometheus.

        Parameters
        ----------
        info : dict of str to str
            Labels of ``samovar_model_info``.
        """
        return (
            "\n".join(_lines(self._shared.totals(), info, self._shared.workers)) + "\n"
        ).encode()


def _lines(totals: list[float], info: dict[str, str], workers: int) -> Iterator[str]:
    yield from _head("samovar_model_info", "gauge", "The model that is served.")
    labels = ",".join(f'{name}="{_escape(value)}"' for name, value in info.items())
    yield f"samovar_model_info{{{labels}}} 1"
    yield from _head("samovar_requests_total", "counter", "Replies by path and status.")
    for place, path in enumerate(ENDPOINTS):
        for index, status in enumerate(STATUSES):
            value = totals[place * len(STATUSES) + index]
            if value:
                yield f'samovar_requests_total{{endpoint="{path}",status="{status}"}} {value:.0f}'
    yield from _histogram(
        "samovar_request_seconds", "Seconds from a whole request for a prediction to its reply.",
        SECONDS, totals[_LATENCY:_LATENCY_SUM], totals[_LATENCY_SUM],
    )  # fmt: skip
    yield from _histogram(
        "samovar_batch_rows", "Rows in a call of the model.",
        ROWS, totals[_BATCH:_BATCH_SUM], totals[_BATCH_SUM],
    )  # fmt: skip
    for name, kind, about, value in (
        ("samovar_model_seconds_total", "counter", "Seconds spent in the model.",
         totals[_MODEL_SUM]),
        ("samovar_queue_requests", "gauge", "Requests that wait for the model.", totals[_QUEUE]),
        ("samovar_in_flight_requests", "gauge", "Requests that the model is answering.",
         totals[_IN_FLIGHT]),
        ("samovar_connections", "gauge", "Open connections.", totals[_CONNECTIONS]),
        ("samovar_connections_total", "counter", "Accepted connections.", totals[_ACCEPTED]),
        ("samovar_workers", "gauge", "Processes that answer.", float(workers)),
        ("samovar_worker_starts_total", "counter", "Processes started, replacements included.",
         totals[_STARTS]),
        ("samovar_cpu_seconds_total", "counter", "Processor seconds that the processes used.",
         totals[_CPU]),
    ):  # fmt: skip
        yield from _head(name, kind, about)
        yield f"{name} {value:.0f}" if value.is_integer() else f"{name} {value!r}"
    yield from _aside(totals)


def _aside(totals: Sequence[float]) -> Iterator[str]:
    for role, label, names, start, about in (
        ("shadow", "verdict", SHADOW, _SHADOW, "Answers of a shadow, compared with those given."),
        ("canary", "outcome", CANARY, _CANARY, "Requests given to a canary."),
    ):
        yield from _head(f"samovar_{role}_answers_total", "counter", about)
        for place, name in enumerate(names):
            yield f'samovar_{role}_answers_total{{{label}="{name}"}} {totals[start + place]:.0f}'


def _histogram(
    name: str, about: str, bounds: Sequence[float], counts: Sequence[float], total: float
) -> Iterator[str]:
    yield from _head(name, "histogram", about)
    running = 0.0
    for bound, count in zip(bounds, counts, strict=False):
        running += count
        yield f'{name}_bucket{{le="{bound:g}"}} {running:.0f}'
    running += counts[len(bounds)]
    yield f'{name}_bucket{{le="+Inf"}} {running:.0f}'
    yield f"{name}_sum {total!r}"
    yield f"{name}_count {running:.0f}"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
