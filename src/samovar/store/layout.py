"""Blobs and names in an OCI image layout.

References
----------
OCI image specification, image-layout.md.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import MAX_MANIFEST_BYTES, Index, Manifest, describe
from samovar.errors import Damaged, NotFound, SamovarError
from samovar.store import locks
from samovar.store.atomic import sync_folder, unfinished_file, write_file
from samovar.store.digests import digest_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from samovar.core.reference import Reference

REF_NAME: Final = "org.opencontainers.image.ref.name"
_CHUNK = 1024 * 1024
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class Store:
    """An OCI image layout that several processes may use at once.

    Parameters
    ----------
    root : Path
        Its folder; made where it is absent.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self.unfinished = root / "unfinished"
        self._index = root / "index.json"
        if not (root / "oci-layout").exists():
            self.blobs.mkdir(parents=True, exist_ok=True)
            self.unfinished.mkdir(exist_ok=True)
            write_file(root / "oci-layout", _LAYOUT)

    # Blobs

    def writing(self) -> AbstractContextManager[None]:
        """Keep ``gc`` away while blobs are written that no name reaches yet, or are read."""
        return locks.shared(self.root / "blobs.lock")

    def collecting(self) -> AbstractContextManager[None]:
        """Keep everybody else away from the blobs."""
        return locks.exclusive(self.root / "blobs.lock")

    def blob_path(self, digest: Digest) -> Path:
        """Give where a blob stands, or would stand."""
        return self.blobs / digest.hex

    def has_blob(self, digest: Digest, size_bytes: int | None = None) -> bool:
        """Say whether a blob is there; with its right size, where one is given."""
        try:
            found = self.blob_path(digest).stat().st_size
        except FileNotFoundError:
            return False
        return size_bytes is None or found == size_bytes

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes and give their digest."""
        digest = Digest.of(data)
        self.put_stream([data], expected=digest)
        return digest

    def put_stream(
        self,
        chunks: Iterable[bytes],
        *,
        expected: Digest | None = None,
        size_bytes: int | None = None,
    ) -> tuple[Digest, int]:
        """Store bytes that arrive in pieces.

        Parameters
        ----------
        chunks : iterable of bytes
            The content.
        expected : Digest, optional
            What it must have; nothing is kept otherwise.
        size_bytes : int, optional
            How long it must be; reading stops where it becomes longer.

        Returns
        -------
        tuple of Digest and int
            Digest and size in bytes of what was stored.

        Raises
        ------
        Damaged
            Where digest or size are others.
        """
        if expected is not None and self._is_intact(expected):
            return expected, self.blob_path(expected).stat().st_size
        state, size = hashlib.sha256(), 0
        with unfinished_file(self.unfinished) as unfinished:
            for chunk in chunks:
                size += len(chunk)
                if size_bytes is not None and size > size_bytes:
                    raise Damaged(f"More than the {size_bytes} bytes that were declared arrived.")
                state.update(chunk)
                unfinished.file.write(chunk)
            digest = Digest("sha256:" + state.hexdigest())
            if size_bytes is not None and size != size_bytes:
                raise Damaged(f"{size} bytes arrived; {size_bytes} were declared.")
            if expected is not None and digest != expected:
                raise Damaged(f"The bytes that arrived have the digest {digest}, not {expected}.")
            unfinished.keep_as(self.blob_path(digest), mode=0o444, sync=False)
        return digest, size

    def open_blob(self, descriptor: Descriptor) -> IO[bytes]:
        """Open a blob that was checked against its digest and size just now.

        Raises
        ------
        Damaged
            Naming the digest, where the blob is missing or altered.
        """
        file = self._open(descriptor.digest)
        try:
            state = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                state.update(chunk)
            if file.tell() != descriptor.size_bytes or state.hexdigest() != descriptor.digest.hex:
                raise _altered(descriptor.digest)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def read_blob(self, descriptor: Descriptor) -> bytes:
        """Read a whole small blob, checked against its digest and size."""
        with self._open(descriptor.digest) as file:
            data = file.read(descriptor.size_bytes + 1)
        if len(data) != descriptor.size_bytes or Digest.of(data) != descriptor.digest:
            raise _altered(descriptor.digest)
        return data

    def put_document(self, content: Manifest | Index) -> Descriptor:
        """Store a manifest or an index and give its descriptor."""
        descriptor, data = describe(content)
        self.put_bytes(data)
        return descriptor

    def read_document(self, descriptor: Descriptor) -> Manifest | Index:
        """Read the manifest or index that a descriptor points to."""
        if descriptor.size_bytes > MAX_MANIFEST_BYTES:
            raise Damaged(f"{descriptor.digest} is too large for a manifest.")
        data = self.read_blob(descriptor)
        if descriptor.media_type in media_types.INDEXES:
            return Index.from_bytes(data)
        return Manifest.from_bytes(data)

    # Names

    def names(self) -> dict[str, Descriptor]:
        """Give every name (``name:tag``) with the descriptor it points to, sorted."""
        found = {
            descriptor.annotations[REF_NAME]: descriptor
            for descriptor in self._read_index().manifests
            if REF_NAME in descriptor.annotations
        }
        return dict(sorted(found.items()))

    def set_name(self, reference: Reference, descriptor: Descriptor) -> None:
        """Let a name point to a manifest or index that is in the store."""
        name = _key(reference)
        named = Descriptor(
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size_bytes=descriptor.size_bytes,
            artifact_type=descriptor.artifact_type,
            annotations={REF_NAME: name},
        )
        # Blobs are kept one by one; that they are there survives a power cut from here on.
        sync_folder(self.blobs)
        with self._changing_names() as entries:
            entries[name] = named

    def remove_name(self, reference: Reference) -> Descriptor:
        """Remove a name; what it pointed to stays until ``gc``.

        Raises
        ------
        NotFound
            Where there is no such name.
        """
        with self._changing_names() as entries:
            if _key(reference) not in entries:
                raise _no_such_name(reference, entries)
            return entries.pop(_key(reference))

    def set_names_aside(self) -> None:
        """Keep a file of names that cannot be read under another name; then there are none."""
        with locks.exclusive(self.root / "names.lock"), suppress(FileNotFoundError):
            self._index.replace(self._index.with_name("index.json.damaged"))

    def resolve(self, reference: Reference) -> Descriptor:
        """Find what a name or digest points to.

        Raises
        ------
        NotFound
            Where the store has no such name or digest.
        """
        if reference.digest is not None:
            return self.describe_blob(reference.digest)
        names = self.names()
        if _key(reference) not in names:
            raise _no_such_name(reference, names)
        return names[_key(reference)]

    def complete(self, beginning: str) -> Digest:
        """Find the one manifest or index whose digest begins so.

        Parameters
        ----------
        beginning : str
            ``sha256:`` and at least one hexadecimal digit.

        Raises
        ------
        NotFound
            Where the store has none, or several.
        """
        found = []
        for path in sorted(self.blobs.glob(f"{beginning.removeprefix('sha256:')}*")):
            with suppress(SamovarError):
                found.append(self.describe_blob(Digest.parse(f"sha256:{path.name}")).digest)
        if len(found) == 1:
            return found[0]
        raise NotFound(
            f"The store has {'several digests that begin' if found else 'no digest that begins'} "
            f"with {beginning}.",
            why=", ".join(map(str, found)) or None,
            hint="Give more of it." if found else "See 'samovar list' for what it has.",
        )

    def describe_blob(self, digest: Digest) -> Descriptor:
        """Make the descriptor of a manifest or index that is known by its digest alone."""
        path = self.blob_path(digest)
        if not path.exists():
            raise NotFound(
                f"The store has nothing with the digest {digest}.",
                hint="See 'samovar list' for what it has, or 'samovar pull' it.",
            )
        size = path.stat().st_size
        document: Any = None
        if size <= MAX_MANIFEST_BYTES:
            with suppress(ValueError):
                document = json.loads(path.read_bytes())
        if not isinstance(document, dict) or document.get("schemaVersion") != 2:
            raise Damaged(f"{digest} is neither a manifest nor an index, or it was altered.")
        return Descriptor(
            media_type=document.get("mediaType") or media_types.OCI_MANIFEST,
            digest=digest,
            size_bytes=size,
            artifact_type=document.get("artifactType"),
        )

    # Inside

    def _open(self, digest: Digest) -> IO[bytes]:
        try:
            return self.blob_path(digest).open("rb")
        except FileNotFoundError:
            raise Damaged(
                f"The blob {digest} is missing from the store.",
                hint="'samovar fsck' lists what is wrong; pull or load the bundle again.",
            ) from None

    def _is_intact(self, digest: Digest) -> bool:
        try:
            return digest_file(self.blob_path(digest)) == digest
        except OSError:
            return False  # missing, or a disk that cannot read it: it is to be written anew

    def _read_index(self) -> Index:
        try:
            data = self._index.read_bytes()
        except FileNotFoundError:
            return Index(manifests=())
        return Index.from_bytes(data)

    @contextmanager
    def _changing_names(self) -> Iterator[dict[str, Descriptor]]:
        with locks.exclusive(self.root / "names.lock"):
            entries = self.names()
            yield entries
            index = Index(manifests=tuple(entries[name] for name in sorted(entries)))
            write_file(self._index, index.to_bytes())


def _key(reference: Reference) -> str:
    tag = reference.tag or "latest"
    name = (
        reference.name if reference.registry is None else f"{reference.registry}/{reference.name}"
    )
    return f"{name}:{tag}"


def _no_such_name(reference: Reference, names: Iterable[str]) -> NotFound:
    from difflib import get_close_matches

    near = get_close_matches(str(reference), list(names), 1)
    return NotFound(
        f"The store has no bundle named {reference}.",
        hint=f"Did you mean {near[0]}?" if near else "See 'samovar list' for what it has.",
    )


def _altered(digest: Digest) -> Damaged:
    return Damaged(
        f"The blob {digest} is not what its digest says.",
        hint="'samovar fsck --repair' fetches it again where a registry or a saved tar has it.",
    )
