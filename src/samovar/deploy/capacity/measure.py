"""Measure what a bundle's server costs here: it is started, asked the receipt's rows, and ended.

What counts is the processor time that the server itself reports: what else the machine does, and
how fast this client is, then matter little. A model that mostly waits, for a device or for another
service, is measured by the clock.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.serve import ServeOptions, prepare_server
from samovar.deploy.capacity.cost import Sample, fit
from samovar.deploy.capacity.sizing import Measured
from samovar.deploy.doors.crew import end_crews
from samovar.deploy.limits import Limits
from samovar.deploy.replicas import start_process
from samovar.deploy.running import RunFolder
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from samovar.bundle.opened import Bundle
    from samovar.core.receipt import Receipt
    from samovar.store.home import Home
    from samovar.store.layout import Store

_ROUND_S: Final = 0.2
_ROUNDS: Final = 5
_TOGETHER: Final = (1, 8, 64)
_MANY_ROWS: Final = 64
_LONG_S: Final = 0.5
_TIMEOUT_S: Final = 60.0
_DEAR_ROW_S: Final = 50e-6
_WAITING: Final = 0.25


def measure_bundle(
    home: Home,
    store: Store,
    bundle: Bundle,
    *,
    name: str,
    rows: int,
    progress: Callable[[str], None],
) -> Measured:
    """Start a bundle's server with one worker on loopback, measure it, and end it.

    Parameters
    ----------
    name : str
        Of the bundle.
    rows : int
        In the requests that are planned for: the cost is the most exact there.

    Raises
    ------
    Refused
        Where the audit refuses the model.
    Unavailable
        Where the server does not start, or refuses the receipt's rows.
    """
    options = ServeOptions(port=0, workers=1, as_json=True)
    server = prepare_server(
        home, store, bundle, name=name, python=None, options=options, progress=progress
    )
    with home.workspace() as workspace:
        replica = start_process(server, bundle.digest, RunFolder(workspace), 0, Limits(), door=None)
        try:
            replica.await_ready()
            progress("Measuring what a request costs")
            address = str(replica.server.url).removeprefix("http://")
            return measure(address, bundle.receipt, rows, process=replica.server.pid)
        finally:
            end_crews([], [replica])


def measure(address: str, receipt: Receipt, rows: int, *, process: int | None = None) -> Measured:
    """Measure a server that answers with one worker and nobody else asks.

    Parameters
    ----------
    address : str
        ``host:port``.
    receipt : Receipt
        Its rows are asked.
    rows : int
        See :func:`measure_bundle`.
    process : int, optional
        The server's, whose memory is looked at.
    """
    host, _, port = address.rpartition(":")
    samples, many_s = [], 0.0
    try:
        for count in sorted({1, rows, _MANY_ROWS}):
            body = _body(receipt, count)
            for together in _TOGETHER:
                with _clients(host, int(port), together, body) as ask:
                    longest_s = ask()
                    found = [_round(address, ask) for _ in range(_ROUNDS)]
                samples.append(_middle([sample for sample, _ in found]))
                many_s = median(model_s for _, model_s in found)
                if longest_s > _LONG_S or receipt.batching != "identical":
                    break
            if longest_s > _LONG_S and count >= rows:
                break
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            "The server went away while it was measured.", why=str(error), code="replica_failed"
        ) from error
    return Measured(
        cost=fit(samples),
        is_dear=many_s > _DEAR_ROW_S,
        merges=receipt.batching == "identical",
        memory_bytes=_peak_bytes(process),
    )


def _body(receipt: Receipt, count: int) -> bytes:
    rows = [receipt.rows[i % len(receipt.rows)] for i in range(count)]
    alone = count == 1 and isinstance(rows[0], list)
    return json.dumps(rows[0] if alone else rows).encode()


@contextmanager
def _clients(host: str, port: int, count: int, body: bytes) -> Iterator[Callable[[], float]]:
    """Hold connections; yields what asks on all of them at once and gives the seconds it took."""
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection((host, port), timeout=_TIMEOUT_S))
            for _ in range(count)
        ]

        def ask() -> float:
            started = time.perf_counter()
            for one in held:
                one.sendall(request)
            for one in held:
                _read(one)
            return time.perf_counter() - started

        yield ask


def _read(connection: socket.socket) -> None:
    with http.client.HTTPResponse(connection, method="POST") as response:
        response.begin()
        said = response.read()
        if response.status != http.HTTPStatus.OK:
            raise Unavailable(
                "The server does not answer the receipt's rows.",
                why=f"Status {response.status}: {said[:200].decode('utf-8', 'replace')}",
                hint="See 'samovar verify' for the same bundle.",
                code="service_answer",
            )


def _round(address: str, ask: Callable[[], float]) -> tuple[Sample, float]:
    """Ask for a while; give what that cost, and the model's seconds for each row."""
    before = _counts(address)
    until = time.perf_counter() + _ROUND_S
    while time.perf_counter() < until:
        ask()
    turns, requests, rows, model_s, cpu_s = (
        end - start for end, start in zip(_counts(address), before, strict=True)
    )
    busy_s = model_s if cpu_s < _WAITING * model_s else cpu_s
    return Sample(turns=turns, requests=requests, rows=rows, busy_s=busy_s), model_s / rows


def _middle(samples: Sequence[Sample]) -> Sample:
    """Give the one of middle cost: a round that the machine disturbed is left out."""
    return sorted(samples, key=lambda sample: sample.busy_s / sample.requests)[len(samples) // 2]


def _counts(address: str) -> tuple[float, ...]:
    """Read the server's calls, requests, rows, seconds in the model and processor seconds."""
    asking = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        asking.request("GET", "/metrics")
        text = asking.getresponse().read().decode()
    finally:
        asking.close()
    return tuple(
        _number(text, name)
        for name in (
            "samovar_batch_rows_count", "samovar_request_seconds_count", "samovar_batch_rows_sum",
            "samovar_model_seconds_total", "samovar_cpu_seconds_total",
        )
    )  # fmt: skip


def _number(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    if found is None:
        raise Unavailable(f"The server does not count {name}.", code="service_answer")
    return float(found[1])


def _peak_bytes(process: int | None) -> int | None:
    """Give the most memory that a process had, where Linux says so."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return None
    found: Any = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return None if found is None else int(found[1]) * 1024
