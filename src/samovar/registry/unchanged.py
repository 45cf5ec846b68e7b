"""Ask a registry on this machine whether it has everything, before the real client is imported.

Most pushes while one works change nothing, and importing an HTTP client that can do all that
registries ask for takes longer than the questions. On loopback the standard library's is enough:
plain http, no proxy, nobody asks who we are. Whatever else happens, the real client is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.registry.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.descriptor import Descriptor
    from samovar.core.reference import Reference
    from samovar.registry.options import Options

_ACCEPT: Final = ", ".join(sorted(media_types.MANIFESTS | media_types.INDEXES))
_DIGEST: Final = "Docker-Content-Digest"
_TIMEOUT_S: Final = 5.0


def has_everything(
    reference: Reference,
    descriptor: Descriptor,
    documents: Sequence[Descriptor],
    options: Options,
) -> bool:
    """Say whether a registry surely has what is to be pushed, under its name.

    A registry takes a manifest only when it has what it refers to, so that manifests are asked for
    and blobs are not.

    Parameters
    ----------
    reference : Reference
        What it is to be called there.
    descriptor : Descriptor
        What the name has to point to.
    documents : sequence of Descriptor
        Every manifest and index, evidence included.

    Returns
    -------
    bool
        False also where that could not be found out.
    """
    endpoint = Endpoint.of(reference)
    if not endpoint.is_loopback:
        return False
    import http.client

    connection = http.client.HTTPConnection(
        endpoint.host, timeout=min(_TIMEOUT_S, options.timeout_s)
    )

    def digest_of(name: str) -> str | None:
        path = f"/v2/{endpoint.repository}/manifests/{name}"
        connection.request("HEAD", path, headers={"Accept": _ACCEPT})
        with connection.getresponse() as answer:
            return answer.getheader(_DIGEST) if answer.status == http.client.OK else None

    wanted = {str(document.digest): str(document.digest) for document in documents}
    wanted[reference.tag or str(descriptor.digest)] = str(descriptor.digest)
    try:
        # The name first: where it is new or points elsewhere, one question was asked in vain.
        return all(digest_of(name) == digest for name, digest in reversed(wanted.items()))
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
