"""Where an answer leads: redirects, and the places where uploads go on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from samovar.errors import RegistryFailure
from samovar.registry.endpoint import is_loopback
from samovar.registry.problems import redacted

if TYPE_CHECKING:
    from samovar.registry.lines import Answer


def next_place(response: Answer, *, plain_http: bool) -> str:
    """Give the whole URL that an answer's ``Location`` leads to; it may be relative.

    A registry behind a proxy that ends TLS may name itself with ``http``: on the host that was
    asked, the scheme that was asked stays.

    Parameters
    ----------
    plain_http : bool
        Whether it may lead from https to http.

    Raises
    ------
    RegistryFailure
        Where there is none, or none that may be followed.
    """
    asked = response.url
    place: str = response.headers.get("location", "")
    if not place:
        raise bad_place(response, "it names no place to go on")
    try:
        url = urljoin(asked, place)
        before, after = urlsplit(asked), urlsplit(url)
        port = after.port
    except ValueError as error:
        raise bad_place(response, "it leads to something that is no web address") from error
    if after.scheme not in {"http", "https"} or not after.hostname:
        raise bad_place(response, "it leads to something that is no web address")
    if before.scheme == "https" and after.scheme == "http":
        if after.hostname == before.hostname and port in {None, 80, before.port}:
            return after._replace(scheme="https", netloc=before.netloc).geturl()
        if not (plain_http or is_loopback(after.netloc)):
            raise bad_place(response, "it leads from https to plain http")
    return url


def origin(url: str) -> tuple[str, str | None, int]:
    """Give scheme, host and port: what credentials are kept for."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def bad_place(response: Answer, why: str) -> RegistryFailure:
    """Make the error of an answer that leads nowhere."""
    url = response.url
    return RegistryFailure(
        f"The registry {urlsplit(url).netloc} answers what no registry does.",
        why=f"{response.method} {redacted(url)} answered {response.status_code}, but {why}.",
        code="registry_refused",
        status=response.status_code,
    )
