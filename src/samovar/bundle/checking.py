"""Check what a manifest from outside holds, before any of it is kept.

Digests say that bytes arrived as they were sent; this says that they are what a bundle or an image
is made of: layers that unpack, and configurations that describe them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from typing import TYPE_CHECKING, Any, Final

from samovar.core import media_types
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.errors import Damaged, UserError
from samovar.store.unpack import extract_tar

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.descriptor import Descriptor

_CHUNK: Final = 1024 * 1024
_MAX_LAYER_BYTES: Final = 64 * 1024**3
_OURS: Final = frozenset({media_types.MODEL_MANIFEST, media_types.RUN_MANIFEST})


def check_content(blobs: Path, descriptor: Descriptor, scratch: Path) -> None:
    """Check one manifest whose blobs have the right digests already.

    Parameters
    ----------
    blobs : Path
        Folder of blobs by their hexadecimal digest.
    descriptor : Descriptor
        Of the manifest.
    scratch : Path
        Where layers are unpacked; empty again afterwards.

    Raises
    ------
    Refused
        Where a layer has a member that no honest one has.
    Damaged
        Where a configuration's diff IDs are not those of the layers.
    UserError
        Where it is nothing that samovar can use.
    """
    manifest = Manifest.from_bytes((blobs / descriptor.digest.hex).read_bytes())
    if manifest.subject is not None:
        return  # an attestation or an SBOM: read by whoever asks for it, never unpacked
    if manifest.config.media_type == media_types.OCI_CONFIG:
        _check_diff_ids(blobs, manifest, ("rootfs", "diff_ids"))
    elif manifest.artifact_type in _OURS:
        if manifest.artifact_type == media_types.MODEL_MANIFEST:
            _check_diff_ids(blobs, manifest, ("modelfs", "diffIds"))
            _check_layers(blobs, manifest, scratch)
    else:
        raise UserError(
            f"{descriptor.digest} is neither a bundle, nor a run, nor an image.",
            why=f"Its artifact type is {manifest.artifact_type or 'not set'}.",
            hint="samovar loads what 'samovar save' wrote.",
            code="not_a_bundle",
        )


def _check_layers(blobs: Path, manifest: Manifest, scratch: Path) -> None:
    try:
        for layer in manifest.layers:
            with (blobs / layer.digest.hex).open("rb") as file:
                extract_tar(file, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_diff_ids(blobs: Path, manifest: Manifest, field: tuple[str, str]) -> None:
    try:
        config: Any = json.loads((blobs / manifest.config.digest.hex).read_bytes())
        declared = config[field[0]][field[1]]
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"The configuration {manifest.config.digest} lists no diff IDs.") from error
    found = [str(_diff_id(blobs / layer.digest.hex, layer)) for layer in manifest.layers]
    if declared != found:
        raise Damaged(
            f"The configuration {manifest.config.digest} does not describe its layers.",
            why="Its diff IDs are not the digests of what the layers hold.",
            hint="The file was put together wrongly or altered; fetch it again.",
        )


def _diff_id(path: Path, layer: Descriptor) -> Digest:
    """Give the digest of a layer's uncompressed bytes, never holding more than a piece of them."""
    if not layer.media_type.endswith("gzip"):
        return layer.digest
    state, size = hashlib.sha256(), 0
    inflate = zlib.decompressobj(wbits=31)
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                while chunk:
                    piece = inflate.decompress(chunk, _CHUNK)
                    size += len(piece)
                    if size > _MAX_LAYER_BYTES:
                        raise Damaged(f"The layer {layer.digest} inflates beyond all measure.")
                    state.update(piece)
                    chunk = inflate.unconsumed_tail
        except zlib.error as error:
            raise Damaged(f"The layer {layer.digest} is not gzip.", why=str(error)) from error
    if not inflate.eof or inflate.unused_data:
        raise Damaged(f"The layer {layer.digest} is cut off, or hides something after its end.")
    return Digest("sha256:" + state.hexdigest())
