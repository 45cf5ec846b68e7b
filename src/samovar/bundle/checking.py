"""Check what a manifest from outside holds, before any of it is kept.

Digests say that bytes arrived as they were sent; this says that they are what a bundle or an image
is made of: layers that unpack, and configurations that describe them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from samovar.core import media_types
from samovar.core.manifest import Manifest
from samovar.core.run import RunRecord
from samovar.errors import Damaged, UserError
from samovar.store.unpack import Limits, scan_tar
from samovar.store.unpack_inflate import inflated
from samovar.store.unpack_layer import scan_layer
from samovar.store.unpack_names import check_inside

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest

_OUR_LAYERS: Final = frozenset(
    {
        media_types.MODEL_WEIGHT_TAR,
        media_types.MODEL_WEIGHT_CONFIG_TAR,
        media_types.MODEL_CODE_TAR,
        media_types.MODEL_DATASET_TAR,
    }
)
_FILE_NAMES: Final = ("org.opencontainers.image.title", media_types.MODEL_FILEPATH)
_OURS: Final = frozenset({media_types.MODEL_MANIFEST, media_types.RUN_MANIFEST})


def check_content(blobs: Path, descriptor: Descriptor) -> None:
    """Check one manifest whose blobs have the right digests already.

    Parameters
    ----------
    blobs : Path
        Folder of blobs by their hexadecimal digest.
    descriptor : Descriptor
        Of the manifest.

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
    _check_titles(manifest)
    if manifest.config.media_type in {media_types.OCI_CONFIG, media_types.DOCKER_CONFIG}:
        _check_diff_ids(blobs, manifest, ("rootfs", "diff_ids"))
    elif manifest.artifact_type in _OURS:
        if manifest.artifact_type == media_types.MODEL_MANIFEST:
            _check_diff_ids(blobs, manifest, ("modelfs", "diffIds"))
        else:
            _check_record(blobs, manifest)
    else:
        raise UserError(
            f"{descriptor.digest} is neither a bundle, nor a run, nor an image.",
            why=f"Its artifact type is {manifest.artifact_type or 'not set'}.",
            hint="samovar loads what 'samovar save' wrote.",
            code="not_a_bundle",
        )


def _check_titles(manifest: Manifest) -> None:
    """Refuse file names that lead out of the folder into which other tools would write them."""
    for layer in manifest.layers:
        for key in _FILE_NAMES:
            if key in layer.annotations:
                check_inside(layer.annotations[key].removesuffix("/"), Limits())


def _check_record(blobs: Path, manifest: Manifest) -> None:
    """Refuse a run that cannot be read, or that names what does not come along with it."""
    try:
        document = json.loads((blobs / manifest.config.digest.hex).read_bytes())
    except ValueError as error:
        raise Damaged(f"The record {manifest.config.digest} is not JSON.") from error
    missing = set(RunRecord.from_json(document).blobs()) - {blob.digest for blob in manifest.layers}
    if missing:
        raise Damaged(
            f"The run's record names {min(map(str, missing))}, which is not among its layers.",
            hint="It was put together wrongly or altered; push it again from where it was made.",
        )


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
    """Read a layer to its end, refuse what no honest one has, and give its diff ID."""
    with path.open("rb") as file:
        is_gzip = layer.media_type.endswith("gzip")
        if layer.media_type.removesuffix(media_types.GZIP_SUFFIX) in _OUR_LAYERS:
            return scan_tar(inflated(file) if is_gzip else file)
        if layer.media_type.endswith("zstd"):
            raise UserError(
                f"The layer {layer.digest} is compressed by zstd, which samovar does not read.",
                hint="Push the image with gzip layers.",
                code="not_a_bundle",
            )
        return scan_layer(inflated(file) if is_gzip else file)
