"""Whose certificates are trusted."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from samovar.errors import Unavailable

_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def tls_context() -> ssl.SSLContext:
    """Trust the system's authorities and those of ``SSL_CERT_FILE`` and ``REQUESTS_CA_BUNDLE``.

    Where a system has no authorities (a slim container), those of certifi stand in.

    Raises
    ------
    Unavailable
        Naming the variable, where its file cannot be read.
    """
    context = ssl.create_default_context()
    paths: tuple[str | None, ...] = ssl.get_default_verify_paths()
    if paths[:2] == (None, None):  # neither a file nor a folder
        import certifi

        context.load_verify_locations(certifi.where())
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
    return context
