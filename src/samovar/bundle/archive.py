"""Bundles in one tar file, and image layouts of others: out of the store and into it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.checking import check_content
from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import MAX_MANIFEST_BYTES, Index, Manifest
from samovar.core.reference import Reference
from samovar.errors import Damaged, SamovarError
from samovar.store.atomic import unfinished_file
from samovar.store.layout import REF_NAME
from samovar.store.reach import referrers, walk
from samovar.store.unpack import extract_tar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.store.home import Home
    from samovar.store.layout import Store

_CHUNK: Final = 1024 * 1024
_DOCUMENTS = media_types.MANIFESTS | media_types.INDEXES


def save(
    store: Store,
    reference: Reference,
    descriptor: Descriptor,
    file: Path,
    *,
    with_evidence: bool = True,
) -> int:
    """Write a bundle, and what refers to it, as an OCI image layout in one tar file.

    The same bundle under the same name gives the same bytes everywhere.

    Parameters
    ----------
    reference : Reference
        The name that the file keeps.
    descriptor : Descriptor
        What it points to.
    file : Path
        Written whole or not at all.
    with_evidence : bool
        False leaves out what refers to it: other tools take a layout's only entry for the image,
        and have to be told which where there are several.

    Returns
    -------
    int
        Size of the file in bytes.
    """
    with store.writing(), unfinished_file(file.absolute().parent) as unfinished:
        evidence = referrers(store, descriptor) if with_evidence else []
        blobs: dict[str, Descriptor] = {}
        for root in (descriptor, *evidence):
            for found in walk(store, root):
                blobs.setdefault(found.digest.hex, found)
        index = Index(manifests=(_named(descriptor, reference), *evidence))
        with tarfile.open(
            fileobj=unfinished.file, mode="w", format=tarfile.PAX_FORMAT, bufsize=_CHUNK
        ) as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(archive, "index.json", index.to_bytes())
            for name in sorted(blobs):
                with store.open_blob(blobs[name]) as content:
                    member = _member(f"blobs/sha256/{name}", blobs[name].size_bytes)
                    archive.addfile(member, content)
        unfinished.keep_as(file.absolute())
    return file.stat().st_size


def load(home: Home, store: Store, file: Path) -> list[tuple[Reference | None, Descriptor]]:
    """Read what ``save``, or another tool's OCI archive, has into the store.

    Returns
    -------
    list of tuple of Reference or None, and Descriptor
        The names that were set, and what they point to.

    Raises
    ------
    Damaged
        Naming the digest of what is missing or altered; the store is as it was.
    Refused
        Where the tar file has a member that no image layout has (store/unpack.py).
    """
    with home.workspace() as workspace:
        folder = workspace / "layout"
        folder.mkdir()
        with file.open("rb") as content:
            extract_tar(content, folder)
        return import_layout(store, folder, where=file)


def import_layout(
    store: Store, folder: Path, *, where: Path
) -> list[tuple[Reference | None, Descriptor]]:
    """Read an image layout's content into the store, after all of it was checked.

    Parameters
    ----------
    folder : Path
        The layout.
    where : Path
        How messages name it.
    """
    index = _read_index(folder, where)
    wanted: dict[Digest, Descriptor] = {}
    for root in index.manifests:
        for found in _walk(folder, root):
            wanted.setdefault(found.digest, found)
    for descriptor in wanted.values():
        if descriptor.media_type in media_types.MANIFESTS:
            check_content(folder / "blobs" / "sha256", descriptor)
    with store.writing():
        for descriptor in wanted.values():
            store.put_stream(
                _chunks(folder, descriptor),
                expected=descriptor.digest,
                size_bytes=descriptor.size_bytes,
            )
        loaded = [(_reference(root), root) for root in index.manifests if not _is_evidence(root)]
        for reference, root in loaded:
            if reference is not None:
                store.set_name(reference, root)
    return loaded


def read_layout_index(folder: Path, where: Path) -> list[Descriptor]:
    """List what a layout's index names, evidence left out; nothing else of it is read.

    Raises
    ------
    Damaged
        Where it is no layout; messages name it as ``where``.
    """
    return [root for root in _read_index(folder, where).manifests if not _is_evidence(root)]


def named_roots(folder: Path) -> list[tuple[Reference, Descriptor]]:
    """Give the names in an image layout's folder, and what they point to; nothing is checked.

    Raises
    ------
    Damaged
        Where the folder is no image layout.
    """
    named = [(_reference(root), root) for root in _read_index(folder, folder).manifests]
    return [(reference, root) for reference, root in named if reference is not None]


def _named(descriptor: Descriptor, reference: Reference) -> Descriptor:
    tag = reference.tag or "latest"
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size_bytes=descriptor.size_bytes,
        artifact_type=descriptor.artifact_type,
        annotations={REF_NAME: f"{reference.name}:{tag}"},
    )


def _reference(root: Descriptor) -> Reference | None:
    """Read the name that a layout gives; a tag alone, as other tools write it, is no name."""
    name = root.annotations.get(REF_NAME)
    if name is None or ":" not in name:
        return None
    try:
        return Reference.parse(name)
    except SamovarError:
        return None


def _is_evidence(root: Descriptor) -> bool:
    return REF_NAME not in root.annotations and root.artifact_type not in {
        None,
        media_types.MODEL_MANIFEST,
    }


def _read_index(folder: Path, where: Path) -> Index:
    try:
        json.loads((folder / "oci-layout").read_bytes())["imageLayoutVersion"]
        with (folder / "index.json").open("rb") as file:
            return Index.from_bytes(file.read(MAX_MANIFEST_BYTES + 1))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"{where} is not an OCI image layout.",
            hint="A bundle's tar file is made by 'samovar save'.",
            code="not_a_layout",
        ) from error


def _walk(folder: Path, root: Descriptor) -> Iterator[Descriptor]:
    """Check every blob that a layout's entry reaches, before anything is kept."""
    waiting, seen = [root], set[Digest]()
    while waiting:
        descriptor = waiting.pop()
        if descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        _check(folder, descriptor)
        yield descriptor
        if descriptor.media_type in _DOCUMENTS:
            waiting.extend(reversed(_children(folder, descriptor)))


def _children(folder: Path, descriptor: Descriptor) -> tuple[Descriptor, ...]:
    if descriptor.size_bytes > MAX_MANIFEST_BYTES:
        raise Damaged(f"{descriptor.digest} is too large for a manifest.")
    data = (folder / "blobs" / "sha256" / descriptor.digest.hex).read_bytes()
    if descriptor.media_type in media_types.INDEXES:
        return Index.from_bytes(data).manifests
    return Manifest.from_bytes(data).blobs


def _check(folder: Path, descriptor: Descriptor) -> None:
    path = folder / "blobs" / "sha256" / descriptor.digest.hex
    if not path.is_file():
        raise Damaged(
            f"The blob {descriptor.digest} is missing.",
            hint="The file is incomplete; save or copy it again.",
        )
    if path.stat().st_size != descriptor.size_bytes or (
        Digest.of_chunks(_chunks(folder, descriptor)) != descriptor.digest
    ):
        raise Damaged(
            f"The blob {descriptor.digest} is not what its digest says.",
            hint="The file was damaged on its way; save or copy it again.",
        )


def _chunks(folder: Path, descriptor: Descriptor) -> Iterator[bytes]:
    with (folder / "blobs" / "sha256" / descriptor.digest.hex).open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> Any:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 0
    return member
