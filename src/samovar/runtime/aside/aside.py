"""One worker's canary or shadow: whom it asks, what for, and what it counts."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.aside.judge import judge
from samovar.runtime.aside.link import Pool
from samovar.runtime.http_errors import INTERNAL_ERROR, OK
from samovar.runtime.metrics import endpoint

if TYPE_CHECKING:
    from samovar.runtime.aside.link import Reply
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.http.head import Head
    from samovar.runtime.server import Server

_ASKED: Final = frozenset({endpoint("/predict"), endpoint("/v2/infer"), endpoint("/invocations")})
_PASSED_ON: Final = (b"content-type", b"content-encoding", b"inference-header-content-length")
_VERSION: Final = re.compile(rb"/versions/[^/]+/")
_CANARY_LINKS: Final = 512
_CANARY_S: Final = 30.0
_SHADOW_LINKS: Final = 16
_SHADOW_S: Final = 30.0
_MAX_COMPARED_BYTES: Final = 1024 * 1024
_PART: Final = 0.05
"""Of a worker's time, for comparing; what needs more is skipped, and counted as that."""


class Canary:
    """Answers a share of the requests, each drawn by chance.

    Parameters
    ----------
    server : Server
        Of the worker.
    address : str
        ``host:port`` of the other server.
    share : float
        In (0, 1].
    """

    def __init__(self, server: Server, address: str, share: float) -> None:
        self._server = server
        self._share = share
        self._pool = Pool(server.loop, address, limit=_CANARY_LINKS, timeout_s=_CANARY_S)

    def takes(self, exchange: Exchange) -> bool:
        """Pass a request on, if it is one of the share."""
        head = exchange.head
        if head.endpoint not in _ASKED or head.method != b"POST":
            return False
        if random.random() >= self._share:  # noqa: S311 - only shares requests out
            return False
        self._pool.ask(_request(head, exchange.body), lambda reply: self._answered(exchange, reply))
        return True

    def note(self, exchange: Exchange, output: bytes) -> None:
        """Nothing is compared."""

    def close(self) -> None:
        """Take no more."""
        self._pool.close()

    def _answered(self, exchange: Exchange, reply: Reply | None) -> None:
        server = self._server
        if reply is None or reply.status >= INTERNAL_ERROR:
            # The request is not lost: it is answered here, as those outside the share.
            server.metrics.count_canary("failed")
            server.handle_here(exchange)
            return
        server.metrics.count_canary("answered" if reply.status == OK else "refused")
        server.metrics.observe_latency(server.now() - exchange.started)
        length = reply.headers.get(b"inference-header-content-length")
        exchange.reply(
            reply.status,
            reply.body,
            content_type=reply.headers.get(b"content-type", b"application/json"),
            headers=b"" if length is None else b"Inference-Header-Content-Length: %b\r\n" % length,
        )


class Shadow:
    """Is asked what was answered here, afterwards, as far as there is time; then compared.

    Parameters
    ----------
    server : Server
        Of the worker.
    address : str
        ``host:port`` of the other server.
    tolerance : float
        See :func:`judge`.
    """

    def __init__(self, server: Server, address: str, tolerance: float) -> None:
        self._server = server
        self._tolerance = tolerance
        self._now = server.loop.time
        self._credit_s, self._credited_at = _PART, self._now()
        self._under_way = 0
        self._pool = Pool(server.loop, address, limit=_SHADOW_LINKS, timeout_s=_SHADOW_S)

    def takes(self, exchange: Exchange) -> bool:
        """Remember what was asked; everything is answered here."""
        head = exchange.head
        if head.endpoint in _ASKED and head.method == b"POST":
            exchange.sent = exchange.body
        return False

    def note(self, exchange: Exchange, output: bytes) -> None:
        """Compare an answer that is about to leave, later."""
        sent = getattr(exchange, "sent", None)
        if sent is None or output[9:12] != b"200":
            return
        if (
            self._under_way >= _SHADOW_LINKS
            or not self._has_time()
            or len(sent) + len(output) > _MAX_COMPARED_BYTES
        ):
            self._server.metrics.count_shadow("skipped")
            return
        self._under_way += 1
        # After the reply was written: the client does not wait for it.
        self._server.loop.call_soon(self._ask, exchange.head, sent, output)

    def close(self) -> None:
        """Compare no more."""
        self._pool.close()

    def _has_time(self) -> bool:
        now = self._now()
        self._credit_s = min(_PART, self._credit_s + _PART * (now - self._credited_at))
        self._credited_at = now
        return self._credit_s > 0.0

    def _ask(self, head: Head, sent: bytes, output: bytes) -> None:
        started = self._now()
        self._pool.ask(_request(head, sent), lambda reply: self._answered(output, reply))
        self._credit_s -= self._now() - started

    def _answered(self, output: bytes, reply: Reply | None) -> None:
        started = self._now()
        self._under_way -= 1
        if reply is None or reply.status != OK:
            self._server.metrics.count_shadow("failed")
        else:
            served = output.partition(b"\r\n\r\n")[2]
            self._server.metrics.count_shadow(judge(served, reply.body, self._tolerance))
        self._credit_s -= self._now() - started


class AsideFile:
    """The file that says who stands aside; it is looked at now and then.

    Parameters
    ----------
    server : Server
        Of the worker; given, and relieved of, who stands aside.
    path : str
        Of the file; where it is not there, nobody does.
    tolerance : float
        Of the served bundle's receipt.
    """

    def __init__(self, server: Server, path: str, tolerance: float) -> None:
        self._server = server
        self._path = Path(path)
        self._tolerance = tolerance
        self._seen: tuple[int, int] | None = None

    def look(self) -> None:
        """Follow the file where it has changed."""
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns)
        except OSError:
            seen = None
        if seen == self._seen:
            return
        self._seen = seen
        before, self._server.aside = self._server.aside, None
        if before is not None:
            before.close()
        if seen is not None:
            self._server.metrics.forget_aside()
            self._server.aside = self._read()

    def _read(self) -> Canary | Shadow | None:
        try:
            document: dict[str, Any] = json.loads(self._path.read_bytes())
            address, share = str(document["address"]), float(document["share"])
            if document["role"] == "canary":
                return Canary(self._server, address, share)
            return Shadow(self._server, address, self._tolerance)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _request(head: Head, body: bytes) -> bytes:
    """Write a request again, for a server of the same name and any version."""
    lines = [b"POST ", _VERSION.sub(b"/", head.path)]
    if head.query:
        lines += [b"?", head.query]
    lines.append(b" HTTP/1.1\r\nHost: aside\r\nContent-Length: %d\r\n" % len(body))
    for name in _PASSED_ON:
        value = head.headers.get(name)
        if value is not None:
            lines += [name, b": ", value, b"\r\n"]
    return b"".join([*lines, b"\r\n", body])
