"""Pull into the store: manifests first, blobs at once, the name last."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.manifest import Index, Manifest
from samovar.errors import Damaged, NotFound, OutOfSpace
from samovar.registry.download import fetch_blob
from samovar.registry.parallel import run_all
from samovar.registry.progress import Progress, Tally
from samovar.registry.referrers import list_referrers
from samovar.registry.remote import Remote, opened, read_root

if TYPE_CHECKING:
    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.core.reference import Reference
    from samovar.registry.options import Options
    from samovar.store.layout import Store

Check = Callable[["Descriptor"], None]
"""Looks at a manifest whose blobs are all in the store, and raises where it is not honest."""

_DOCUMENTS: Final = media_types.MANIFESTS | media_types.INDEXES
_MAX_DOCUMENTS: Final = 1000
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull did.

    Parameters
    ----------
    descriptor : Descriptor
        Of what the reference points to; it is in the store.
    downloaded_bytes, skipped_bytes : int
        Blobs and manifests that arrived, and those that the store had.
    """

    descriptor: Descriptor
    downloaded_bytes: int
    skipped_bytes: int


def pull(
    store: Store,
    reference: Reference,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Pulled:
    """Bring what a reference names, and what refers to it, into the store, under that name.

    A pull that fails leaves no name, and no blob that is not whole.

    Parameters
    ----------
    options : Options, optional
        How the registry is talked to.
    progress : callable, optional
        Told how far it is, from one thread at a time.
    check : callable, optional
        Called with each manifest that is new, before the name is set.

    Raises
    ------
    NotFound
        Where the registry has no such thing.
    Damaged
        Where something else arrived than its digest says.
    RegistryFailure
        Where the registry refuses, fails or goes away.
    """
    with store.writing(), opened(reference, options) as remote:
        job = _Job(store=store, remote=remote, tally=Tally(progress))
        root = job.read_root(reference)
        roots = [root]
        if remote.transport.options.referrers:
            roots += job.read_referrers()
        job.fetch_blobs()
        job.keep_documents()
        for descriptor in job.new_manifests():
            if check is not None:
                check(descriptor)
        if reference.tag is not None:
            store.set_name(reference, root)
    return Pulled(
        descriptor=root,
        downloaded_bytes=job.tally.moved_bytes,
        skipped_bytes=job.tally.skipped_bytes,
    )


@dataclass(slots=True, kw_only=True)
class _Job:
    """One pull on its way."""

    store: Store
    remote: Remote
    tally: Tally
    documents: dict[Digest, Descriptor] = field(default_factory=dict)
    arrived: dict[Digest, bytes] = field(default_factory=dict)
    blobs: dict[Digest, Descriptor] = field(default_factory=dict)

    def read_root(self, reference: Reference) -> Descriptor:
        """Read what the reference points to; not even that where the store has it already."""
        digest = self.remote.find(str(reference.digest or reference.tag))
        known = None if digest is None else self._stored(digest)
        if known is None:
            known, data = read_root(self.remote, reference)
            self.arrived[known.digest] = data
        self._visit(known, depth=0)
        return known

    def read_referrers(self) -> list[Descriptor]:
        """Read what refers to the documents, and what refers to that."""
        found: list[Descriptor] = []
        waiting = list(self.documents)
        while waiting:
            for referrer in list_referrers(self.remote, waiting.pop()):
                if referrer.digest not in self.documents:
                    self._visit(referrer, depth=1)
                    found.append(referrer)
                    waiting.append(referrer.digest)
        return found

    def fetch_blobs(self) -> None:
        """Fetch what the store lacks, several at once, the largest first."""
        blobs = sorted(self.blobs.values(), key=lambda blob: -blob.size_bytes)
        self.tally.expect(*(blob.size_bytes for blob in blobs))
        needed = sum(b.size_bytes for b in blobs if not self.store.has_blob(b.digest, b.size_bytes))
        if needed > shutil.disk_usage(self.store.root).free:
            raise OutOfSpace(
                f"There is no space for the {needed} bytes that are to be pulled.",
                why=f"The store is {self.store.root}.",
                hint="Free some space ('samovar gc'), or set SAMOVAR_HOME.",
            )
        transport = self.remote.transport
        run_all(
            (partial(self._fetch, blob) for blob in blobs),
            threads=transport.options.parallel,
            stop=transport.stop,
        )

    def keep_documents(self) -> None:
        """Store the manifests that arrived, children before parents, now that all else is there."""
        for digest, descriptor in reversed(self.documents.items()):
            self.tally.expect(descriptor.size_bytes)
            data = self.arrived.get(digest)
            if data is None:
                self.tally.skipped(descriptor.size_bytes)
                continue
            self.store.put_bytes(data)
            self.tally.arrived(len(data))
            self.tally.moved(len(data))

    def new_manifests(self) -> list[Descriptor]:
        """Give the manifests that were not in the store before."""
        found = [self.documents[digest] for digest in self.arrived]
        return [one for one in found if one.media_type in media_types.MANIFESTS]

    def _visit(self, descriptor: Descriptor, *, depth: int) -> None:
        if descriptor.digest in self.documents:
            return
        if depth > _MAX_DEPTH or len(self.documents) >= _MAX_DOCUMENTS:
            raise Damaged(f"{descriptor.digest} is one of too many nested manifests.")
        self.documents[descriptor.digest] = descriptor
        content = self._read(descriptor)
        if isinstance(content, Manifest):
            self.blobs.update((blob.digest, blob) for blob in content.blobs)
            return
        for child in content.manifests:
            if child.media_type in _DOCUMENTS:
                self._visit(child, depth=depth + 1)
            else:
                self.blobs[child.digest] = child

    def _read(self, descriptor: Descriptor) -> Manifest | Index:
        data = self.arrived.get(descriptor.digest)
        if data is None:
            data = self._stored_bytes(descriptor)
        if data is None:
            found = self.remote.read_document(str(descriptor.digest), descriptor)
            if found is None:
                raise NotFound(
                    f"The registry {self.remote.endpoint.registry} lacks {descriptor.digest}.",
                    hint="What refers to it is incomplete there: push it again.",
                )
            data = self.arrived[descriptor.digest] = found[1]
        if descriptor.media_type in media_types.INDEXES:
            return Index.from_bytes(data)
        return Manifest.from_bytes(data)

    def _stored(self, digest: Digest) -> Descriptor | None:
        try:
            known = self.store.describe_blob(digest)
            self.store.read_blob(known)
        except (Damaged, NotFound):
            return None
        return known

    def _stored_bytes(self, descriptor: Descriptor) -> bytes | None:
        if not self.store.has_blob(descriptor.digest, descriptor.size_bytes):
            return None
        try:
            return self.store.read_blob(descriptor)
        except Damaged:
            return None

    def _fetch(self, blob: Descriptor) -> None:
        if self.store.has_blob(blob.digest, blob.size_bytes):
            try:
                self.store.open_blob(blob).close()
            except Damaged:
                pass  # what is altered here is fetched again
            else:
                self.tally.skipped(blob.size_bytes)
                return
        fetch_blob(self.remote, self.store, blob, self.tally)
