"""Push what the store has to a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.manifest import Index
from samovar.errors import InvalidReference, RegistryFailure
from samovar.registry.options import Options
from samovar.registry.progress import Progress, Tally
from samovar.store.reach import referrers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.core.reference import Reference
    from samovar.store.layout import Store

_DOCUMENTS = media_types.MANIFESTS | media_types.INDEXES
_LOST: Final = frozenset({"BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
"""A registry that has lost what its own manifests list says so when it gets the next one."""


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
    from samovar.registry.sending import send

    options, tally = options or Options(), Tally(progress)
    with store.writing():
        evidence = referrers(store, descriptor) if options.referrers else []
        documents = _ordered(store, [descriptor, *evidence])
        try:
            send(store, descriptor, reference, documents, options=options, tally=tally)
        except RegistryFailure as failure:
            if _LOST.isdisjoint(failure.registry_codes):
                raise
            tally = Tally(progress)
            send(
                store, descriptor, reference, documents,
                options=options, tally=tally, believing=False,
            )  # fmt: skip
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
