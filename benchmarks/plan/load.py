"""Requests that come independently of each other and of the answers: a Poisson process."""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import dataclass

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_END_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What clients saw.

    Parameters
    ----------
    throughput_per_s : float
        Answers a second.
    p50_s, p99_s : float
        From sending to the whole answer.
    failed : int
        Answers other than 200.
    """

    throughput_per_s: float
    p50_s: float
    p99_s: float
    failed: int


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, crowd: _Crowd) -> None:
        self._crowd = crowd
        self._said = b""
        self._sent = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self) -> None:
        assert self.transport is not None
        self._sent = time.perf_counter()
        self.transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        self._said += data
        head, found, body = self._said.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self._crowd.answered(self, time.perf_counter() - self._sent, b" 200 " in head[:20])
        self._said = b""


class _Crowd:
    """As many connections as are needed at once."""

    def __init__(self, host: str, port: int, body: bytes) -> None:
        self._host, self._port = host, port
        self.request = (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        ) + body
        self._idle: list[_Client] = []
        self._opening: set[asyncio.Task[None]] = set()
        self.latencies_s: list[float] = []
        self.failed = 0
        self.waiting = 0

    def send(self) -> None:
        self.waiting += 1
        if self._idle:
            self._idle.pop().send()
            return
        task = asyncio.get_running_loop().create_task(self._open())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: _Client(self), self._host, self._port)
        client.send()

    def answered(self, client: _Client, seconds: float, is_ok: bool) -> None:
        self.waiting -= 1
        self._idle.append(client)
        self.latencies_s.append(seconds)
        self.failed += not is_ok

    def close(self) -> None:
        for client in self._idle:
            assert client.transport is not None
            client.transport.close()


async def _run(address: str, body: bytes, rate: float, seconds: float, seed: int) -> Seen:
    host, _, port = address.rpartition(":")
    crowd, chance = _Crowd(host, int(port), body), random.Random(seed)
    started = time.perf_counter()
    due = started + chance.expovariate(rate)
    while due < started + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        crowd.send()
        due += chance.expovariate(rate)
    deadline = time.perf_counter() + _END_S
    while crowd.waiting and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    elapsed_s = time.perf_counter() - started
    crowd.close()
    await asyncio.sleep(0.05)
    if crowd.waiting:
        raise AssertionError(f"{crowd.waiting} requests were never answered")
    ordered = sorted(crowd.latencies_s)
    return Seen(
        throughput_per_s=len(ordered) / elapsed_s,
        p50_s=ordered[len(ordered) // 2],
        p99_s=ordered[int(0.99 * len(ordered))],
        failed=crowd.failed,
    )


def ask(address: str, body: bytes, rate: float, seconds: float, seed: int) -> Seen:
    """Ask an address for some seconds.

    Parameters
    ----------
    address : str
        ``host:port``.
    body : bytes
        Of ``POST /predict``.
    rate : float
        Requests a second.
    seconds : float
        How long requests are sent.
    seed : int
        Of the arrivals.
    """
    return asyncio.run(_run(address, body, rate, seconds, seed))
