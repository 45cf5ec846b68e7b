"""Who we are to a registry: Basic, or Bearer tokens fetched for exactly the scopes that are needed.

References
----------
Docker's distribution: "Token Authentication Specification" and "OAuth2 Token Authentication".
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

from samovar.errors import RegistryFailure
from samovar.registry.challenges import Challenge, parse_challenges
from samovar.registry.credentials import Credentials, config_file, find_credentials
from samovar.registry.endpoint import Endpoint, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

Scopes = tuple[str, ...]
"""Such as ``("repository:team/titanic:pull,push",)``."""

_CLIENT: Final = "samovar"
_DEFAULT_LIFE_S: Final = 60.0
_MARGIN_S: Final = 5.0


class Exchange(Protocol):
    """Sends one request to a token server and gives the body of its good answer."""

    def __call__(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes | None
    ) -> bytes:
        """Send it."""
        ...


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    ends_at_s: float


class Authorizer:
    """Answers a registry's challenges.

    Parameters
    ----------
    endpoint : Endpoint
        Whose credentials are looked up, when they are first asked for.
    exchange : Exchange
        How token servers are reached.
    plain_http : bool
        Whether tokens may be asked for over plain http beyond loopback.
    """

    def __init__(self, endpoint: Endpoint, exchange: Exchange, *, plain_http: bool) -> None:
        self._endpoint = endpoint
        self._exchange = exchange
        self._plain_http = plain_http
        self._lock = threading.RLock()
        self._credentials: Credentials | None = None
        self._looked_up = False
        self._basic: str | None = None
        self._tokens: dict[Scopes, _Token] = {}
        self._secrets: set[str] = set()

    @property
    def secrets(self) -> frozenset[str]:
        """Everything that must never be printed."""
        with self._lock:
            return frozenset(self._secrets)

    @property
    def knows_user(self) -> bool:
        """Whether there are credentials for the registry."""
        return self._credentials is not None

    def header(self, scopes: Scopes) -> str | None:
        """Give the ``Authorization`` header to send, as far as one is known to be wanted."""
        with self._lock:
            if self._basic is not None:
                return self._basic
            token = self._tokens.get(scopes)
            if token is None or token.ends_at_s <= time.monotonic():
                return None
            return f"Bearer {token.value}"

    def answer(self, values: Iterable[str], scopes: Scopes, *, sent: str | None) -> bool:
        """Do what a 401 asks for.

        Parameters
        ----------
        values : iterable of str
            The ``WWW-Authenticate`` headers.
        scopes : tuple of str
            What the request needs.
        sent : str, optional
            The header that was refused.

        Returns
        -------
        bool
            Whether there is another header to try.
        """
        challenges = {one.scheme: one for one in reversed(parse_challenges(values))}
        with self._lock:
            if self.header(scopes) not in {None, sent}:
                return True  # another thread got it meanwhile
            credentials = self._find()
            if "bearer" in challenges:
                if credentials is not None and credentials.registry_token:
                    self._tokens[scopes] = _Token(credentials.registry_token, float("inf"))
                else:
                    self._tokens[scopes] = self._fetch(challenges["bearer"], scopes)
                return self.header(scopes) != sent
            if "basic" in challenges and credentials is not None and credentials.basic:
                self._basic = credentials.basic
                return self._basic != sent
            return False

    def _find(self) -> Credentials | None:
        if not self._looked_up:
            self._credentials = find_credentials(self._endpoint)
            self._looked_up = True
            if self._credentials is not None:
                self._secrets |= self._credentials.secrets
        return self._credentials

    def _fetch(self, challenge: Challenge, scopes: Scopes) -> _Token:
        realm = challenge.parameters.get("realm", "")
        self._check_realm(realm)
        asked = list(scopes)
        asked += [
            s for s in challenge.parameters.get("scope", "").split() if not _covered(s, asked)
        ]
        service = challenge.parameters.get("service")
        credentials = self._credentials
        if credentials is not None and credentials.identity_token:
            data = self._exchange_identity(realm, service, asked, credentials.identity_token)
        else:
            fields = [("service", service)] if service else []
            fields += [("scope", scope) for scope in asked]
            headers = {}
            if credentials is not None and credentials.basic:
                headers["Authorization"] = credentials.basic
                fields.append(("account", credentials.username or ""))
            url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(fields)}"
            data = self._exchange("GET", url, headers=headers, body=None)
        return self._read_token(data, realm)

    def _exchange_identity(
        self, realm: str, service: str | None, scopes: list[str], token: str
    ) -> bytes:
        form = {
            "grant_type": "refresh_token",
            "service": service or self._endpoint.host,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            "refresh_token": token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._exchange("POST", realm, headers=headers, body=urlencode(form).encode())

    def _read_token(self, data: bytes, realm: str) -> _Token:
        try:
            document: Any = json.loads(data)
            value = document.get("token") or document.get("access_token")
            life_s = float(document.get("expires_in") or _DEFAULT_LIFE_S)
        except (ValueError, AttributeError, TypeError, RecursionError):
            value = None
        if not isinstance(value, str) or not value or not value.isprintable():
            raise RegistryFailure(
                f"The token server of {self._endpoint.registry} gave no token.",
                why=f"It is {urlsplit(realm).netloc}.",
                code="registry_denied",
            )
        self._secrets.add(value)
        return _Token(value, time.monotonic() + max(life_s - _MARGIN_S, 1.0))

    def _check_realm(self, realm: str) -> None:
        """Send no password in the clear, wherever the registry says that its tokens are."""
        parts = urlsplit(realm)
        if parts.scheme == "https" and parts.hostname:
            return
        if parts.scheme == "http" and (self._plain_http or is_loopback(parts.netloc)):
            return
        raise RegistryFailure(
            f"The registry {self._endpoint.registry} names no safe token server.",
            why=f"Its realm is {parts.scheme or 'nothing'}://{parts.hostname or ''}.",
            hint=f"Credentials stay in {config_file()}; give --plain-http to send them openly.",
            code="registry_denied",
        )


def _covered(scope: str, asked: list[str]) -> bool:
    """Say whether a scope asks for nothing beyond those."""
    resource, _, actions = scope.rpartition(":")
    wanted = set(actions.split(","))
    return any(
        one.rpartition(":")[0] == resource and wanted <= set(one.rpartition(":")[2].split(","))
        for one in asked
    )
