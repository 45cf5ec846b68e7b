"""Ask a registry on this machine what it has, before the real HTTP client is imported.

Most pushes while one works change little or nothing, and importing a client that can do all that
registries ask for takes longer than the questions. On loopback the standard library's is enough:
plain http, no proxy, nobody asks who we are. Whatever else happens, the real client asks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.digest import Digest
from samovar.errors import InvalidReference
from samovar.registry.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.descriptor import Descriptor
    from samovar.core.reference import Reference
    from samovar.registry.options import Options

_ACCEPT: Final = ", ".join(sorted(media_types.MANIFESTS | media_types.INDEXES))
_DIGEST: Final = "Docker-Content-Digest"
_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a registry said.

    Parameters
    ----------
    named : Digest or None
        What the name points to there.
    known : frozenset of Digest
        Which of the manifests and indexes it has.
    """

    named: Digest | None
    known: frozenset[Digest]


def ask_on_loopback(
    reference: Reference, name: str, documents: Sequence[Descriptor], options: Options
) -> Asked | None:
    """Ask what a name points to and which documents are there; None where it is not that simple.

    Parameters
    ----------
    reference : Reference
        Its repository is asked.
    name : str
        Tag or digest.
    documents : sequence of Descriptor
        Manifests and indexes. A registry takes one only when it has what it refers to.
    """
    endpoint = Endpoint.of(reference)
    if not endpoint.is_loopback:
        return None
    import http.client

    connection = http.client.HTTPConnection(
        endpoint.host, timeout=min(_TIMEOUT_S, options.timeout_s)
    )

    def find(what: str) -> Digest | None:
        path = f"/v2/{endpoint.repository}/manifests/{what}"
        connection.request("HEAD", path, headers={"Accept": _ACCEPT})
        with connection.getresponse() as answer:
            if answer.status == http.client.NOT_FOUND:
                return None
            if answer.status != http.client.OK:
                raise http.client.HTTPException(answer.reason)
            return Digest.parse(answer.getheader(_DIGEST) or "")

    try:
        named = find(name)
        known = frozenset(
            document.digest
            for document in documents
            if find(str(document.digest)) == document.digest
        )
    except (OSError, http.client.HTTPException, InvalidReference):
        return None
    finally:
        connection.close()
    return Asked(named=named, known=known)
