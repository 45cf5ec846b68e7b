"""Which blobs say of themselves that they belong to another (``subject``): read once for each blob.

A blob never changes, so that what was read of it stays true. The memory is a cache beside the
blobs; without it every small blob of the store is opened whenever something is pushed.

References
----------
OCI image specification, manifest.md, "subject".
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from samovar.core.digest import Digest
from samovar.errors import Damaged, InvalidReference, NotFound
from samovar.store.atomic import write_memory
from samovar.store.digests import digest_file

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.store.layout import Store

_FILE: Final = "subjects.json"
_MAX_REFERRER_BYTES: Final = 1024 * 1024


def all_subjects(store: Store) -> dict[Digest, Digest]:
    """Give the digest of every manifest with a subject, and its subject's; sorted.

    A small blob that is not what its digest says is passed over, and looked at again next time.
    """
    memory = store.root / _FILE
    known = _read(memory)
    names = sorted(path.name for path in store.blobs.iterdir())
    found = {name: known[name] for name in names if name in known}
    for name in names:
        if name not in found and _is_whole(store, name):
            found[name] = _subject(store, name)
    if found != known:
        with suppress(OSError):  # a store that may only be read is read anew each time
            write_memory(memory, json.dumps(found).encode())
    return {
        Digest(f"sha256:{name}"): Digest.parse(subject)
        for name, subject in sorted(found.items())
        if subject is not None
    }


def _read(memory: Path) -> dict[str, str | None]:
    try:
        document = json.loads(memory.read_bytes())
        for subject in document.values():
            if subject is not None:
                Digest.parse(subject)
    except (OSError, ValueError, AttributeError, TypeError, InvalidReference):
        return {}
    return dict(document)


def _is_whole(store: Store, name: str) -> bool:
    digest = Digest(f"sha256:{name}")
    path = store.blob_path(digest)
    return path.stat().st_size > _MAX_REFERRER_BYTES or digest_file(path) == digest


def _subject(store: Store, name: str) -> str | None:
    digest = Digest(f"sha256:{name}")
    if store.blob_path(digest).stat().st_size > _MAX_REFERRER_BYTES:
        return None
    with suppress(Damaged, NotFound):
        subject = store.read_document(store.describe_blob(digest)).subject
        return None if subject is None else str(subject.digest)
    return None
