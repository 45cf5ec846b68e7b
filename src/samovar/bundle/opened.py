"""Open a bundle that is in the store: its manifest, its document, its receipt, its lock."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, cast

from samovar.core import layout, media_types
from samovar.core.bundle import BundleDocument
from samovar.core.manifest import Manifest
from samovar.core.receipt import Receipt
from samovar.errors import Damaged, UserError
from samovar.store.unpack import Limits, extract_tar, read_tar
from samovar.store.unpack_inflate import inflated

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.store.layout import Store

_MAX_DESCRIPTION_BYTES: Final = 256 * 1024 * 1024
_IN_MEMORY: Final = Limits(size_bytes=_MAX_DESCRIPTION_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle in the store; every byte of what is here was checked against its digest.

    Parameters
    ----------
    descriptor : Descriptor
        Of its manifest.
    manifest : Manifest
        Configuration and layers.
    document : BundleDocument
        ``samovar.json``.
    receipt : Receipt
        Reference inputs and recorded outputs.
    lock : bytes
        ``pylock.toml``.
    """

    descriptor: Descriptor
    manifest: Manifest
    document: BundleDocument
    receipt: Receipt
    lock: bytes

    @property
    def digest(self) -> Digest:
        """The digest of the manifest, which is the bundle's."""
        return self.descriptor.digest

    @property
    def size_bytes(self) -> int:
        """Manifest, configuration and layers together."""
        blobs = {blob.digest: blob.size_bytes for blob in self.manifest.blobs}
        return self.descriptor.size_bytes + sum(blobs.values())


def open_bundle(store: Store, descriptor: Descriptor) -> Bundle:
    """Read a bundle's documents; of an index, those of the bundle that it lists.

    Raises
    ------
    Damaged
        Naming the digest of what is missing, altered or unreadable.
    UserError
        Where it is something else than a bundle.
    """
    with store.writing():
        descriptor, manifest = find_manifest(store, descriptor)
        documents = _documents(store, manifest)
    return Bundle(
        descriptor=descriptor,
        manifest=manifest,
        document=BundleDocument.from_json(_json(documents, layout.DOCUMENT)),
        receipt=Receipt.from_json(_json(documents, layout.RECEIPT)),
        lock=_member(documents, layout.LOCK),
    )


def find_manifest(store: Store, descriptor: Descriptor) -> tuple[Descriptor, Manifest]:
    """Find the bundle's manifest behind a descriptor of a manifest or an index."""
    content = store.read_document(descriptor)
    if isinstance(content, Manifest):
        if content.artifact_type != media_types.MODEL_MANIFEST:
            raise UserError(
                f"{descriptor.digest} is not a bundle.",
                why=f"Its artifact type is {content.artifact_type or 'not set'}.",
                hint="See 'samovar list' for the bundles in the store.",
                code="not_a_bundle",
            )
        return descriptor, content
    for child in content.manifests:
        found = store.read_document(child) if store.has_blob(child.digest) else None
        if isinstance(found, Manifest) and found.artifact_type == media_types.MODEL_MANIFEST:
            return child, found
    raise UserError(
        f"The index {descriptor.digest} lists no bundle.",
        hint="It may be an image of another tool.",
        code="not_a_bundle",
    )


def is_bundle(store: Store, descriptor: Descriptor) -> bool:
    """Say whether a descriptor leads to a bundle, without reading its layers."""
    try:
        find_manifest(store, descriptor)
    except UserError:
        return False
    return True


def unpack_bundle(store: Store, bundle: Bundle, into: Path) -> Path:
    """Write a bundle's files into an empty folder.

    Every layer is hashed before its first byte is unpacked.

    Returns
    -------
    Path
        The folder that has ``samovar.json`` (core/bundle.py draws the rest).
    """
    with store.writing():
        for layer in bundle.manifest.layers:
            with store.open_blob(layer) as file:
                extract_tar(uncompressed(layer, file), into)
    return into / layout.ROOT


def uncompressed(layer: Descriptor, file: IO[bytes]) -> IO[bytes]:
    """Give the tar file in an open layer."""
    is_gzip = layer.media_type.endswith(media_types.GZIP_SUFFIX)
    return cast("IO[bytes]", inflated(file)) if is_gzip else file


def read_code(store: Store, bundle: Bundle) -> dict[str, bytes]:
    """Read a bundle's code into memory, by path in the project."""
    prefix = f"{layout.ROOT}/{layout.PROJECT}/"
    found: dict[str, bytes] = {}
    for layer in bundle.manifest.layers:
        if layer.media_type.removesuffix(media_types.GZIP_SUFFIX) == media_types.MODEL_CODE_TAR:
            with store.open_blob(layer) as file:
                found.update(read_tar(uncompressed(layer, file), limits=_IN_MEMORY))
    return {path.removeprefix(prefix): content for path, content in found.items()}


def _documents(store: Store, manifest: Manifest) -> dict[str, bytes]:
    """Read the small layers; earlier bundles have their receipt in one of its own."""
    found: dict[str, bytes] = {}
    for kind in (media_types.MODEL_WEIGHT_CONFIG_TAR, media_types.MODEL_DATASET_TAR):
        for layer in manifest.layers:
            if layer.media_type.removesuffix(media_types.GZIP_SUFFIX) == kind:
                found.update(_members(store, layer))
        if not found:
            raise Damaged(
                f"The bundle has no layer of type {kind}.",
                hint="It was made by another tool; samovar needs its own description and receipt.",
            )
        if f"{layout.ROOT}/{layout.RECEIPT}" in found:
            break
    return found


def _members(store: Store, layer: Descriptor) -> dict[str, bytes]:
    """Read a small layer's regular files into memory; nothing is written anywhere."""
    if layer.size_bytes > _MAX_DESCRIPTION_BYTES:
        raise Damaged(f"The layer {layer.digest} is too large for a description.")
    blob = io.BytesIO(store.read_blob(layer))
    return read_tar(uncompressed(layer, blob), limits=_IN_MEMORY)


def _member(members: dict[str, bytes], name: str) -> bytes:
    try:
        return members[f"{layout.ROOT}/{name}"]
    except KeyError:
        raise Damaged(f"The bundle has no {name}.") from None


def _json(members: dict[str, bytes], name: str) -> Any:
    try:
        return json.loads(_member(members, name))
    except ValueError as error:
        raise Damaged(f"The bundle's {name} is not JSON.") from error
