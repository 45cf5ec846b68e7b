"""Whose certificates are trusted."""

from __future__ import annotations

import os
import ssl
import threading
from pathlib import Path
from typing import Any, Final

from samovar.errors import Unavailable

_BUNDLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Trust(ssl.SSLContext):
    """Trusts the system's authorities and those of ``SSL_CERT_FILE`` and ``REQUESTS_CA_BUNDLE``.

    They are read when a TLS connection is first made: a hundred certificates take longer to parse
    than a small bundle takes to be pulled from loopback.
    """

    _lock: threading.Lock
    _is_ready: bool

    @classmethod
    def client(cls) -> Trust:
        """Make a context for connections to servers, whose names are checked."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._lock, context._is_ready = threading.Lock(), False
        return context

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """Begin TLS on a connected socket.

        Raises
        ------
        Unavailable
            Naming the variable whose file of certificates cannot be read.
        """
        self._make_ready()
        return super().wrap_socket(*arguments, **options)

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin TLS within another TLS connection, that to a proxy."""
        self._make_ready()
        return super().wrap_bio(*arguments, **options)

    def _make_ready(self) -> None:
        with self._lock:
            if not self._is_ready:
                _load_authorities(self)
                self._is_ready = True


def _load_authorities(context: ssl.SSLContext) -> None:
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    paths: tuple[str | None, ...] = ssl.get_default_verify_paths()
    if paths[:2] == (None, None):  # neither a file nor a folder: a slim container
        import certifi

        context.load_verify_locations(certifi.where())
    # OpenSSL itself reads SSL_CERT_FILE, and is silent where it cannot.
    for variable in _BUNDLES:
        place = os.environ.get(variable)
        if not place:
            continue
        try:
            is_folder = Path(place).is_dir()
            context.load_verify_locations(
                cafile=None if is_folder else place, capath=place if is_folder else None
            )
        except OSError as error:
            raise Unavailable(
                f"The certificates in {place} cannot be read.",
                why=f"{variable} names that file.",
                hint="Correct the variable, or unset it.",
                code="certificates",
            ) from error
