"""From what went wrong on the wire to an error that says so, without a secret in it."""

from __future__ import annotations

import json
import re
import ssl
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from samovar.errors import RegistryFailure
from samovar.registry.credentials import config_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from samovar.registry.lines import LineError

MAY_PASS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_CODE: Final = re.compile(r"[A-Za-z0-9_ -]{1,60}")
_MAX_WORDS: Final = 300
_DENIED: Final = frozenset({401, 403, 407})


def redacted(url: str) -> str:
    """Give a URL without user, password and query: signed links have secrets in it.

    Examples
    --------
    >>> redacted("https://ada:pw@host/v2/x?X-Amz-Signature=abc")
    'https://host/v2/x'
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "an address that is no URL"
    return printable(f"{parts.scheme}://{host}{parts.path}")


def printable(text: str, secrets: Iterable[str] = ()) -> str:
    """Make foreign text fit for a terminal: one line, no control characters, no known secret."""
    for secret in secrets:
        text = text.replace(secret, "***")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= _MAX_WORDS else text[: _MAX_WORDS - 3] + "..."


def of_answer(
    method: str,
    url: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Iterable[str] = (),
    known_user: bool = False,
) -> RegistryFailure:
    """Make the error of an answer that was not hoped for.

    Parameters
    ----------
    body : bytes
        Beginning of the answer's body; the registry's own codes are read from it.
    known_user : bool
        Whether credentials were sent.
    """
    codes, words = _registry_words(body)
    host = urlsplit(url).netloc.rpartition("@")[2]
    said = printable("; ".join(part for part in (", ".join(codes), words) if part), secrets)
    again = status in MAY_PASS
    wait_s = _retry_after(headers)
    why = f"{method} {redacted(url)} answered {status}{f' ({said})' if said else ''}."
    if status not in _DENIED:
        why += " Trying again may help." if again else " Trying again will not help."
    return RegistryFailure(
        f"The registry {host} {_what(status)}.",
        why=why,
        hint=_hint(status, host, known_user, wait_s),
        code=_our_code(status),
        status=status,
        registry_codes=codes,
        may_retry=again,
        retry_after_s=wait_s,
    )


def of_line_error(method: str, url: str, error: LineError) -> RegistryFailure:
    """Make the error of a request that got no whole answer."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    where = f"{method} {redacted(url)}"
    certificate = _certificate_problem(error)
    if certificate is not None:
        return RegistryFailure(
            f"The registry {host} cannot be trusted.",
            why=f"{where}: {certificate}.",
            hint="Set SSL_CERT_FILE to the certificate of its authority, or give --plain-http "
            "where the registry speaks plain http.",
            code="registry_tls",
        )
    what, why = "cannot be reached", _reason(error)
    if error.problem == "silent":
        what, why = "does not answer", "it was silent for too long"
    elif error.problem == "cut":
        what = "cut the line"
    elif error.problem == "tls":
        what = "answers something else than http"
    return RegistryFailure(
        f"The registry {host} {what}.",
        why=f"{where}: {why}. Trying again may help.",
        hint="Check the host and port, the network, and HTTPS_PROXY and NO_PROXY.",
        code="registry_unreachable",
        may_retry=error.problem != "address",
    )


def _registry_words(body: bytes) -> tuple[tuple[str, ...], str]:
    """Read codes and messages as the specification writes them; Hub's limiter has no codes."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return (), ""
    if not isinstance(document, dict):
        return (), ""
    errors = document.get("errors")
    entries = (
        [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    )
    codes = [str(entry["code"]) for entry in entries if entry.get("code")]
    words = [str(entry["message"]) for entry in entries if entry.get("message")]
    if not entries:
        words = [str(document[key]) for key in ("message", "details", "error") if document.get(key)]
    return tuple(code for code in codes[:5] if _CODE.fullmatch(code)), "; ".join(words[:5])


def _what(status: int) -> str:
    if status in _DENIED:
        return "refuses access"
    if status == 404:
        return "has no such thing"
    if status == 429:
        return "limits how often it is asked"
    if status == 413:
        return "takes no request of that size"
    return "failed" if status >= 500 else "refuses the request"


def _our_code(status: int) -> str:
    if status in _DENIED:
        return "registry_denied"
    if status == 429:
        return "registry_limit"
    return "registry_failed" if status >= 500 else "registry_refused"


def _hint(status: int, host: str, known_user: bool, wait_s: float | None) -> str | None:  # noqa: FBT001  # one fact among others
    if status in _DENIED:
        if known_user:
            return (
                f"The credentials for {host} in {config_file()} do not allow it; it may also be "
                "a repository that does not exist."
            )
        return f"No credentials for {host} are in {config_file()}: log in with 'docker login'."
    if wait_s is not None:
        return f"It asks to be left alone for {wait_s:.0f} s."
    if status == 429:
        return "Wait, or log in: most registries allow known users more."
    if status == 413:
        return "Give --chunk-size, for example 10MiB: something on the way limits a request's size."
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdigit():
        return float(min(int(text), 10**9))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())


def _certificate_problem(error: BaseException) -> str | None:
    """Find what TLS has against the other side, below the layers that wrapped it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return printable(cause.verify_message or "its certificate is not valid")
        if isinstance(cause, ssl.SSLError):
            return printable((cause.reason or "TLS failed").replace("_", " ").lower())
        cause = cause.__cause__ or cause.__context__
    text = str(error.__cause__ or error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return printable(text.partition("failed: ")[2].partition(" (_ssl")[0] or "bad certificate")
    return "it does not speak TLS" if "[SSL" in text else None


def _reason(error: LineError) -> str:
    """Give the operating system's words; those of libraries may quote a proxy's password."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return printable(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    if error.problem == "proxy":
        return "the proxy refused"
    return "the answer ended too early" if error.problem == "cut" else "no connection"
