"""Send what a registry lacks: blobs at once, then manifests, children before parents."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from samovar.core.manifest import Index
from samovar.core.reference import Reference
from samovar.registry.cosign import add_attestation_tags
from samovar.registry.parallel import run_all
from samovar.registry.referrers import add_by_tag
from samovar.registry.remote import Remote, opened
from samovar.registry.upload import push_blob
from samovar.store.reach import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.registry.asked import Asked
    from samovar.registry.options import Options
    from samovar.registry.progress import Tally
    from samovar.store.layout import Store


def send(
    store: Store,
    descriptor: Descriptor,
    reference: Reference,
    documents: Sequence[Descriptor],
    *,
    options: Options,
    tally: Tally,
    asked: Asked | None = None,
) -> None:
    """Send the blobs and documents that a registry lacks.

    Parameters
    ----------
    descriptor : Descriptor
        What the reference is to point to.
    documents : sequence of Descriptor
        Manifests and indexes, children before parents.
    tally : Tally
        Counts what moved and what was there.
    asked : Asked, optional
        What the registry said already, over plain http.
    """
    name = reference.tag or str(descriptor.digest)
    with opened(reference, options, pushes=True) as remote:
        if asked is None:
            known = {one.digest for one in documents if remote.find(str(one.digest)) == one.digest}
        else:
            known = set(asked.known)
            remote.transport.speak_plainly()
        _push_blobs(store, remote, blobs_of(store, documents, known), reference, tally)
        for document in documents:
            is_root = document.digest == descriptor.digest
            _push_document(
                store, remote, document, name if is_root else None, tally,
                is_known=document.digest in known,
            )  # fmt: skip
        add_attestation_tags(remote, store, documents, tally)


def blobs_of(
    store: Store, documents: Iterable[Descriptor], known: set[Digest]
) -> list[tuple[Descriptor, bool]]:
    """Give each blob once, the largest first, and whether the registry must have it already."""
    found: dict[Digest, tuple[Descriptor, bool]] = {}
    for document in documents:
        content = store.read_document(document)
        if isinstance(content, Index):
            continue
        there = document.digest in known
        for blob in content.blobs:
            _, earlier = found.get(blob.digest, (blob, False))
            found[blob.digest] = (blob, there or earlier)
    return sorted(found.values(), key=lambda one: -one[0].size_bytes)


def _push_blobs(
    store: Store,
    remote: Remote,
    blobs: list[tuple[Descriptor, bool]],
    reference: Reference,
    tally: Tally,
) -> None:
    tally.expect(*(blob.size_bytes for blob, _ in blobs))
    missing = [blob for blob, there in blobs if not there]
    for blob, there in blobs:
        if there:
            tally.skipped(blob.size_bytes)
    elsewhere = _elsewhere(store, reference) if missing else {}
    transport = remote.transport
    run_all(
        (
            partial(_push_one, store, remote, blob, tally, elsewhere.get(blob.digest))
            for blob in missing
        ),
        threads=transport.options.parallel,
        stop=transport.stop,
    )


def _push_one(
    store: Store, remote: Remote, blob: Descriptor, tally: Tally, mount_from: str | None
) -> None:
    with store.open_blob(blob):  # checks it against its digest before a byte is sent
        push_blob(remote, store, blob, tally, mount_from=mount_from)


def _elsewhere(store: Store, reference: Reference) -> dict[Digest, str]:
    """Say which other repositories of the registry have a blob, as far as our names tell."""
    found: dict[Digest, str] = {}
    for other, root in _names_at(store, reference):
        for descriptor in walk(store, root):
            found.setdefault(descriptor.digest, other)
    return found


def _names_at(store: Store, reference: Reference) -> Iterator[tuple[str, Descriptor]]:
    for text, root in store.names().items():
        named = Reference.parse(text)
        if named.registry == reference.registry and named.name != reference.name:
            yield named.name, root


def _push_document(
    store: Store,
    remote: Remote,
    descriptor: Descriptor,
    tag: str | None,
    tally: Tally,
    *,
    is_known: bool,
) -> None:
    tally.expect(descriptor.size_bytes)
    if is_known and (tag is None or remote.find(tag) == descriptor.digest):
        tally.skipped(descriptor.size_bytes)
        return
    data = store.read_blob(descriptor)
    listed = remote.put_document(tag or str(descriptor.digest), descriptor, data)
    content = store.read_document(descriptor)
    if content.subject is not None and not listed:
        add_by_tag(remote, content, descriptor)
    tally.arrived(descriptor.size_bytes)
    tally.moved(descriptor.size_bytes)
