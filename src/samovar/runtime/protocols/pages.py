"""``/openapi.json`` and ``/docs``: what the service says of itself, made once at the start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from samovar.runtime.http_errors import OK
from samovar.runtime.protocols.openapi import openapi_document

if TYPE_CHECKING:
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.loaded import Loaded

_HTML: Final = b"text/html; charset=utf-8"
_PLACE: Final = b"/*SAMOVAR*/null"
# The page is one file, asks nobody but its own service, and may not be framed.
_POLICY: Final = (
    b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
    b"script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)


class Pages:
    """The documents of one service.

    Parameters
    ----------
    loaded : Loaded
        The model and what the bundle says of it.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._openapi = self.encode(openapi_document(loaded))
        template = Path(__file__).with_name("docs.html").read_bytes()
        facts = {
            "name": loaded.name,
            "version": loaded.version,
            "digest": loaded.digest,
            "method": loaded.method,
            "model": loaded.platform,
            "signature": loaded.signature.to_json(),
            "receipt": {
                "rows": list(loaded.receipt.rows[:1]),
                "outputs": [
                    {"name": output.name, "data": list(output.data[: _per_row(output.shape)])}
                    for output in loaded.receipt.outputs
                ],
                "relative_difference": loaded.receipt.policy.relative_difference,
            },
        }
        # "</script>" in a name must not end the script.
        safe = self.encode(facts).replace(b"<", b"\\u003c")
        self._docs = template.replace(_PLACE, safe)

    def openapi(self, exchange: Exchange) -> None:
        """Answer the OpenAPI document."""
        exchange.reply(OK, self._openapi)

    def docs(self, exchange: Exchange) -> None:
        """Answer the page."""
        exchange.reply(OK, self._docs, content_type=_HTML, headers=_POLICY)

    def encode(self, document: Any) -> bytes:
        """Write a document as JSON."""
        return msgspec.json.encode(document)


def _per_row(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape[1:]:
        size *= length
    return size
