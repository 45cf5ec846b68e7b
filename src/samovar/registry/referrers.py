"""What refers to a digest (attestations, SBOMs), by the API or by the tag that stands in for it.

References
----------
OCI distribution specification 1.1, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin

from samovar.core.descriptor import Descriptor
from samovar.core.manifest import Index, Manifest, describe
from samovar.errors import Damaged, RegistryFailure
from samovar.registry.transport import Ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samovar.core.digest import Digest
    from samovar.registry.remote import Remote

_MAX_PAGES: Final = 50
_NEXT: Final = re.compile(r'<([^>]+)>\s*;[^,]*rel="?next"?')


def list_referrers(
    remote: Remote, subject: Digest, artifact_type: str | None = None
) -> list[Descriptor]:
    """List the manifests whose subject is this digest.

    Parameters
    ----------
    artifact_type : str, optional
        Only those of this type.

    Raises
    ------
    Damaged
        Where the registry's list is malformed.
    """
    found = _by_api(remote, subject, artifact_type)
    if found is None:
        found = _by_tag(remote, subject)
    return [one for one in found if artifact_type in {None, one.artifact_type}]


def add_by_tag(remote: Remote, referrers: Iterable[tuple[Manifest | Index, Descriptor]]) -> None:
    """Add referrers to the lists under their subjects' tags, for registries without the API."""
    by_subject: dict[Digest, list[Descriptor]] = {}
    for content, descriptor in referrers:
        if content.subject is not None:
            by_subject.setdefault(content.subject.digest, []).append(_listed(content, descriptor))
    for subject, listed in by_subject.items():
        before = _by_tag(remote, subject)
        known = {one.digest for one in before}
        added = [one for one in listed if one.digest not in known]
        if added:
            index, data = describe(Index(manifests=(*before, *added)))
            remote.put_document(_tag(subject), index, data)


def _listed(content: Manifest | Index, descriptor: Descriptor) -> Descriptor:
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size_bytes=descriptor.size_bytes,
        artifact_type=_artifact_type(content),
        annotations=content.annotations,
    )


def _artifact_type(content: Manifest | Index) -> str | None:
    if content.artifact_type is not None or isinstance(content, Index):
        return content.artifact_type
    return content.config.media_type


def _tag(subject: Digest) -> str:
    return str(subject).replace(":", "-")


def _by_tag(remote: Remote, subject: Digest) -> list[Descriptor]:
    found = remote.read_document(_tag(subject))
    if found is None:
        return []
    return list(Index.from_bytes(found[1]).manifests)


def _by_api(remote: Remote, subject: Digest, artifact_type: str | None) -> list[Descriptor] | None:
    """Ask the API, page by page; None where the registry has none."""
    url: str | None = remote.path("referrers", subject)
    if artifact_type is not None:
        url = f"{url}?artifactType={quote(artifact_type, safe='')}"
    found: list[Descriptor] = []
    for _ in range(_MAX_PAGES):
        if url is None:
            return found
        ask = Ask(
            method="GET",
            url=url,
            scopes=remote.scopes,
            hoped_for=frozenset({200}),
            headers={"Accept": "application/vnd.oci.image.index.v1+json"},
        )
        try:
            response, data = remote.read(ask)
        except RegistryFailure as failure:
            if failure.status is None or failure.may_retry:
                raise
            return None  # Nexus answers 400 or 404, others 405: none of them knows the path
        said = response.headers.get("content-type", "").partition(";")[0].strip()
        if said != "application/vnd.oci.image.index.v1+json":
            return None  # a web page that answers every path
        found += Index.from_bytes(data).manifests
        following = _NEXT.search(response.headers.get("link", ""))
        url = None if following is None else urljoin(response.url, following.group(1))
    raise Damaged(f"The registry's list of referrers of {subject} does not end.")
