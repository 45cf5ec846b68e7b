"""Write the archive that ``docker load`` takes; Docker 20.10 takes no OCI layout and no zstd.

References
----------
Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import io
import json
import tarfile
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.core.canonical import canonical_json
from samovar.core.manifest import Manifest
from samovar.errors import Damaged
from samovar.store.atomic import unfinished_file

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from samovar.core.digest import Digest
    from samovar.core.reference import Reference
    from samovar.image.made import Image
    from samovar.store.layout import Store

_BUFFER: Final = 1024 * 1024


def write_docker_archive(store: Store, image: Image, name: Reference, path: Path) -> int:
    """Write an image as a docker-archive, whole or not at all, and give its size in bytes."""
    with store.writing(), unfinished_file(path.absolute().parent) as unfinished:
        write_archive(store, image, name, unfinished.file)
        size = unfinished.file.tell()
        unfinished.keep_as(path.absolute())
    return size


def write_archive(
    store: Store,
    image: Image,
    name: Reference,
    file: IO[bytes],
    *,
    without: AbstractSet[Digest] = frozenset(),
) -> None:
    """Write the archive's bytes into a stream.

    Parameters
    ----------
    image : Image
        What is written.
    name : Reference
        What the engine is to call it.
    file : file object
        Written forwards only.
    without : set of Digest
        Diff IDs of layers that the engine has already; their content is left out.
    """
    manifest = store.read_document(image.descriptor)
    if not isinstance(manifest, Manifest):
        raise Damaged(f"{image.descriptor.digest} is not an image's manifest.")
    config = store.read_blob(manifest.config)
    config_path = f"{manifest.config.digest.hex}.json"
    entry = {
        "Config": config_path,
        "RepoTags": [docker_name(name)],
        "Layers": [_layer_path(layer.diff_id) for layer in image.layers],
    }
    with tarfile.open(
        fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_BUFFER
    ) as archive:
        _add(archive, config_path, config)
        written: set[Digest] = set(without)
        for layer in image.layers:
            if layer.diff_id not in written:
                written.add(layer.diff_id)
                with store.open_blob(layer.descriptor) as blob:
                    size = layer.descriptor.size_bytes
                    archive.addfile(_member(_layer_path(layer.diff_id), size), blob)
        _add(archive, "manifest.json", canonical_json([entry]))


def docker_name(name: Reference) -> str:
    """Give the name as Docker shows it: with a tag, and without its own registry's host.

    Examples
    --------
    >>> from samovar.core.reference import Reference
    >>> docker_name(Reference.parse("titanic"))
    'titanic:latest'
    """
    base = name.name if name.registry is None else f"{name.registry}/{name.name}"
    return f"{base}:{name.tag or 'latest'}"


def load_answer(lines: bytes) -> str | None:
    """Find the error in what the engine answered to a load, or None."""
    for line in lines.splitlines():
        try:
            document: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict) and document.get("error"):
            return str(document["error"])
    return None


def _layer_path(diff_id: Digest) -> str:
    # The engine looks into the file for how it is compressed; the name says nothing.
    return f"{diff_id.hex}/layer.tar"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info
