"""Push what the store has: blobs at once, then manifests, children before parents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from samovar.core import media_types
from samovar.core.manifest import Index
from samovar.core.reference import Reference
from samovar.errors import InvalidReference
from samovar.registry.cosign import add_attestation_tags
from samovar.registry.parallel import run_all
from samovar.registry.progress import Progress, Tally
from samovar.registry.referrers import add_by_tag
from samovar.registry.remote import Remote, opened
from samovar.registry.upload import push_blob
from samovar.store.reach import referrers, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.registry.options import Options
    from samovar.store.layout import Store

_DOCUMENTS = media_types.MANIFESTS | media_types.INDEXES


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What a push did.

    Parameters
    ----------
    digest : Digest
        Of what the reference now points to.
    uploaded_bytes, skipped_bytes : int
        Blobs and manifests that were sent, and those that the registry had.
    """

    digest: Digest
    uploaded_bytes: int
    skipped_bytes: int


def push(
    store: Store,
    descriptor: Descriptor,
    reference: Reference,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Transfer:
    """Push a manifest or index, all that it reaches, and what refers to it.

    Parameters
    ----------
    descriptor : Descriptor
        Of the store's manifest or index.
    reference : Reference
        What it is called in the registry: a tag, or its own digest.
    options : Options, optional
        How the registry is talked to.
    progress : callable, optional
        Told how far it is, from one thread at a time.

    Raises
    ------
    InvalidReference
        Where the reference names no registry, or another digest.
    Damaged
        Where something in the store is missing or altered.
    RegistryFailure
        Where the registry refuses, fails or goes away.
    """
    if reference.digest not in {None, descriptor.digest}:
        raise InvalidReference(
            f"{reference} is the name of other content.",
            why=f"What is to be pushed has the digest {descriptor.digest}.",
            hint="Give a tag, or leave the digest out.",
        )
    name = reference.tag or str(descriptor.digest)
    tally = Tally(progress)
    with store.writing(), opened(reference, options, pushes=True) as remote:
        evidence = referrers(store, descriptor) if remote.transport.options.referrers else []
        documents = _ordered(store, [descriptor, *evidence])
        known = {one.digest for one in documents if remote.find(str(one.digest)) == one.digest}
        _push_blobs(store, remote, _blobs(store, documents, known), reference, tally)
        for document in documents:
            is_root = document.digest == descriptor.digest
            _push_document(
                store, remote, document, name if is_root else None, tally,
                is_known=document.digest in known,
            )  # fmt: skip
        add_attestation_tags(remote, store, evidence, tally)
    return Transfer(
        digest=descriptor.digest,
        uploaded_bytes=tally.moved_bytes,
        skipped_bytes=tally.skipped_bytes,
    )


def _ordered(store: Store, roots: Iterable[Descriptor]) -> list[Descriptor]:
    """Give the manifests and indexes that are reached, children before parents."""
    ordered: dict[Digest, Descriptor] = {}

    def visit(descriptor: Descriptor) -> None:
        if descriptor.digest in ordered or descriptor.media_type not in _DOCUMENTS:
            return
        content = store.read_document(descriptor)
        if isinstance(content, Index):
            for child in content.manifests:
                visit(child)
        ordered[descriptor.digest] = descriptor

    for root in roots:
        visit(root)
    return list(ordered.values())


def _blobs(
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
