"""From the bytes of a body to a JSON document: codings, media types, strictness."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.http.head import Head

# What `curl -d` says of JSON when nobody tells it otherwise.
_JSON_TYPES: Final = frozenset({b"", b"application/json", b"application/x-www-form-urlencoded"})
_WINDOWS: Final = {b"gzip": 31, b"deflate": 15}
_DECODER: Final = msgspec.json.Decoder()
_LARGE: Final = 1024 * 1024
MAX_VALUES: Final = 1_000_000
"""Values in one body: each becomes an object, some of them forty times as large as its text."""


def is_json(head: Head) -> bool:
    """Whether a head announces JSON, or nothing."""
    kind = head.content_type
    return kind in _JSON_TYPES or (kind.endswith(b"+json") and b"/" in kind)


def check_json_type(head: Head) -> None:
    """Refuse media types that are not JSON.

    Raises
    ------
    InvalidInput
        With code ``unsupported_media_type``.
    """
    if not is_json(head):
        raise InvalidInput(
            f"The media type {head.content_type[:80].decode('latin-1')!r} is not read here.",
            hint="Send Content-Type: application/json.",
            code="unsupported_media_type",
        )


def plain_body(exchange: Exchange) -> bytes:
    """Give the body without its content coding.

    Raises
    ------
    InvalidInput
        Where the coding is unknown, broken, or blows the body up beyond the limit.
    """
    coding = exchange.head.headers.get(b"content-encoding", b"identity").lower()
    if coding == b"identity":
        return exchange.body
    window = _WINDOWS.get(coding)
    if window is None:
        raise InvalidInput(
            f"The content coding {coding[:40].decode('latin-1')!r} is not read here.",
            hint="Send the body plain, or with gzip or deflate.",
            code="unsupported_encoding",
        )
    limit = exchange.connection.server.limits.max_body_bytes
    expander = zlib.decompressobj(window)
    try:
        body = expander.decompress(exchange.body, limit + 1)
    except zlib.error as error:
        raise InvalidInput(
            "The body is not what its Content-Encoding says.", code="malformed_body"
        ) from error
    if len(body) > limit:
        from samovar.runtime.http.parsing import body_too_large

        raise body_too_large(limit)
    if not expander.eof or expander.unused_data:
        raise InvalidInput("The compressed body is not whole.", code="malformed_body")
    return body


def decode_json(body: bytes) -> Any:
    """Decode JSON as RFC 8259 has it: UTF-8, no NaN, no name twice in an object.

    Raises
    ------
    InvalidInput
        Saying what is wrong and where.
    """
    check_size(body)
    try:
        document = _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise _malformed(error) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "The body is not UTF-8.", why=f"Byte {error.start} is not.", code="malformed_json"
        ) from error
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.", code="malformed_json") from None
    if b"{" in body:
        _check_names(body)
    return document


def decode_mlflow_json(body: bytes) -> Any:
    """Decode JSON in which NaN stands for null: MLflow's own client writes it so.

    Raises
    ------
    InvalidInput
        For everything else that :func:`decode_json` refuses; infinities too.
    """
    if b"NaN" not in body:
        return decode_json(body)
    check_size(body)
    try:
        return json.loads(body, parse_constant=_nan, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise InvalidInput("The body is not UTF-8.", code="malformed_json") from error
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.", code="malformed_json") from None
    except ValueError as error:
        raise InvalidInput(
            "The body is no valid JSON.", why=str(error), code="malformed_json"
        ) from error


def _nan(name: str) -> None:
    if name != "NaN":
        raise ValueError(f"{name} is no number")


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) != len(items):
        raise InvalidInput("An object in the body has a name twice.", code="malformed_json")
    return found


def check_size(body: bytes) -> None:
    """Refuse a body with so many values that decoding it would take too much memory.

    Raises
    ------
    InvalidInput
        With code ``too_large``.
    """
    if len(body) > _LARGE and body.count(b",") > MAX_VALUES:
        raise InvalidInput(
            f"The body has more than {MAX_VALUES} values.",
            hint="Send the rows in several requests.",
            code="too_large",
        )


def _malformed(error: msgspec.DecodeError) -> InvalidInput:
    if isinstance(error, msgspec.ValidationError):
        return InvalidInput(
            "A number in the body is too large for any type.", why=str(error), code="wrong_value"
        )
    if not str(error).startswith("JSON"):
        return InvalidInput("The body is empty or cut off.", why=str(error), code="malformed_json")
    return InvalidInput("The body is no valid JSON.", why=str(error), code="malformed_json")


def _check_names(body: bytes) -> None:
    """Refuse a name that is twice in one object: which value was meant nobody knows."""
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=_nothing, parse_float=_nothing)
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.", code="malformed_json") from None


def _nothing(_text: str) -> None:
    return None
