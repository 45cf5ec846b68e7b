"""What names reach, what belongs to it, and what nothing reaches (``gc``)."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.core import media_types
from samovar.core.digest import Digest
from samovar.core.manifest import Index
from samovar.errors import Damaged, NotFound
from samovar.store.subjects import all_subjects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.core.descriptor import Descriptor
    from samovar.store.layout import Store

_DOCUMENTS = media_types.MANIFESTS | media_types.INDEXES


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What ``gc`` removed."""

    blobs: int
    size_bytes: int


def walk(store: Store, descriptor: Descriptor) -> Iterator[Descriptor]:
    """Give a descriptor and all that it reaches, each once, parents first.

    Raises
    ------
    Damaged
        Where a manifest or index on the way is missing or altered.
    """
    seen: set[Digest] = set()
    waiting = [descriptor]
    while waiting:
        current = waiting.pop()
        if current.digest in seen:
            continue
        seen.add(current.digest)
        yield current
        if current.media_type in _DOCUMENTS:
            content = store.read_document(current)
            children = content.manifests if isinstance(content, Index) else content.blobs
            waiting.extend(reversed(children))


def size_bytes(store: Store, descriptor: Descriptor) -> int:
    """Add up the sizes of all that a descriptor reaches, in bytes."""
    return sum(found.size_bytes for found in walk(store, descriptor))


def referrers(store: Store, subject: Descriptor) -> list[Descriptor]:
    """Give the manifests (attestations, SBOMs) that say they belong to what this one reaches.

    What belongs to one of those is given too.

    Raises
    ------
    Damaged
        Where a manifest or index on the way is missing or altered.
    """
    return _attached(store, subject, attached_documents(store))


def collect(store: Store) -> Collected:
    """Delete the blobs that no name reaches, and what dead writers left.

    A manifest that says in its ``subject`` that it belongs to a reached one (an attestation, an
    SBOM) is kept with all it reaches.

    Raises
    ------
    Damaged
        Where a name's manifest cannot be read: then nothing is deleted, since what it reaches is
        unknown.
    Unavailable
        Where another process writes for too long.
    """
    with store.collecting():
        reached = {found.digest for root in _roots(store) for found in walk(store, root)}
        for found in attached_documents(store):
            if subject_of(store, found) in reached:
                reached |= {child.digest for child in walk(store, found)}
        blobs = freed = 0
        for path in sorted(store.blobs.iterdir()):
            if Digest(f"sha256:{path.name}") not in reached:
                freed += path.stat().st_size
                path.unlink()
                blobs += 1
        for path in store.unfinished.glob(".unfinished-*"):
            path.unlink()
    return Collected(blobs=blobs, size_bytes=freed)


def remove_dead_workspaces(work: Path) -> None:
    """Remove the working folders of processes that are gone."""
    for folder in work.glob("*-*"):
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _roots(store: Store) -> list[Descriptor]:
    return list(store.names().values())


def attached_documents(store: Store) -> list[Descriptor]:
    """Give the manifests that say in ``subject`` what they belong to, subjects first."""
    found: dict[Digest, Descriptor] = {}
    for digest in all_subjects(store):
        with suppress(Damaged, NotFound):
            descriptor = store.describe_blob(digest)
            if subject_of(store, descriptor) is not None:  # read again: it may be altered since
                found[digest] = descriptor
    ordered: list[Descriptor] = []
    while found:
        ready = [one for one in found.values() if subject_of(store, one) not in found]
        if not ready:
            return ordered
        ordered += [found.pop(descriptor.digest) for descriptor in ready]
    return ordered


def subject_of(store: Store, descriptor: Descriptor) -> Digest | None:
    """Give the digest that a manifest or index says it belongs to."""
    subject = store.read_document(descriptor).subject
    return None if subject is None else subject.digest


def _attached(store: Store, root: Descriptor, documents: list[Descriptor]) -> list[Descriptor]:
    """Choose the documents that belong to what a descriptor reaches, or to one another."""
    reached = {one.digest for one in walk(store, root) if one.media_type in _DOCUMENTS}
    found = []
    for descriptor in documents:
        if subject_of(store, descriptor) in reached:
            reached.add(descriptor.digest)
            found.append(descriptor)
    return found


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return True  # signal 0 is not a question there; such folders stay until their owner ends
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
