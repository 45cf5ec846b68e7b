"""Send what a registry lacks: blobs at once, then manifests, then the indexes that list them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from samovar.core import media_types
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
    believing: bool = True,
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
    believing : bool
        Whether a registry that has a manifest is believed to have what it lists; if not, it is
        asked for each blob, and every document is sent.
    """
    name = reference.tag or str(descriptor.digest)
    with opened(reference, options, pushes=True) as remote:
        named = remote.find(name)
        there = _there(store, remote, documents, named) if believing else set()
        _push_blobs(store, remote, blobs_of(store, documents, there), reference, tally)
        names = {descriptor.digest: name} if named != descriptor.digest or not believing else {}
        _push_documents(store, remote, documents, there, names, tally)
        add_attestation_tags(remote, store, documents, tally)


def blobs_of(
    store: Store, documents: Iterable[Descriptor], there: set[Digest]
) -> list[tuple[Descriptor, bool]]:
    """Give each blob once, the largest first, and whether the registry must have it already."""
    found: dict[Digest, tuple[Descriptor, bool]] = {}
    for document in documents:
        content = store.read_document(document)
        if isinstance(content, Index):
            continue
        for blob in content.blobs:
            _, earlier = found.get(blob.digest, (blob, False))
            is_there = document.digest in there or blob.digest in there
            found[blob.digest] = (blob, is_there or earlier)
    return sorted(found.values(), key=lambda one: -one[0].size_bytes)


def _there(
    store: Store, remote: Remote, documents: Sequence[Descriptor], named: Digest | None
) -> set[Digest]:
    """Say what of all this the registry has.

    A registry takes a manifest only when it has what that lists. So where the name points to
    something that the store knows too (what was pushed before), nothing more is asked.
    """
    if (
        named is not None
        and named not in {document.digest for document in documents}
        and store.has_blob(named)
    ):
        return {found.digest for found in walk(store, store.describe_blob(named))}
    known: set[Digest] = set()

    def ask(digest: Digest) -> None:
        if remote.find(str(digest)) == digest:
            known.add(digest)

    _at_once(remote, (partial(ask, document.digest) for document in documents))
    return known


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
    _at_once(
        remote,
        (
            partial(_push_one, store, remote, blob, tally, elsewhere.get(blob.digest))
            for blob in missing
        ),
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


def _push_documents(
    store: Store,
    remote: Remote,
    documents: Sequence[Descriptor],
    there: set[Digest],
    names: dict[Digest, str],
    tally: Tally,
) -> None:
    """Send manifests side by side; then indexes, which a registry takes after what they list."""
    tally.expect(*(document.size_bytes for document in documents))
    unlisted: list[Descriptor] = []

    def put(document: Descriptor) -> None:
        name = names.get(document.digest)
        if name is None and document.digest in there:
            tally.skipped(document.size_bytes)
            return
        data = store.read_blob(document)
        listed = remote.put_document(name or str(document.digest), document, data)
        if not listed and store.read_document(document).subject is not None:
            unlisted.append(document)
        tally.arrived(document.size_bytes)
        tally.moved(document.size_bytes)

    def list_them() -> None:
        add_by_tag(
            remote, [(store.read_document(one), one) for one in documents if one in unlisted]
        )
        unlisted.clear()

    indexes = [one for one in documents if one.media_type in media_types.INDEXES]
    _at_once(remote, (partial(put, one) for one in documents if one not in indexes))
    list_them()
    for index in indexes:
        put(index)
    list_them()


def _at_once(remote: Remote, work: Iterable[partial[None]]) -> None:
    transport = remote.transport
    run_all(work, threads=transport.options.parallel, stop=transport.stop)
