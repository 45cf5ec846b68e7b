"""From a staged folder to a bundle in the store: layers, configuration, manifest.

The layers and their order are drawn in docs/decisions/0002-bundle.md.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from samovar.core import layout, media_types
from samovar.core.bundle import BundleDocument
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.core.stored_gzip import stored_gzip
from samovar.core.tar import TarMember, write_tar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from samovar.core.reference import Reference
    from samovar.store.layout import Store

LAYERS_VERSION: Final = 2
"""Of the plan below; bundles packed by an earlier one are packed again."""


def store_bundle(store: Store, staged: Path, names: Iterable[Reference]) -> Descriptor:
    """Store a staged bundle and give it its names.

    Parameters
    ----------
    staged : Path
        Folder that looks like a bundle unpacked (core/bundle.py).
    names : iterable of Reference
        What it is to be called.

    Returns
    -------
    Descriptor
        Of the bundle's manifest.
    """
    document = BundleDocument.from_json(json.loads((staged / layout.DOCUMENT).read_bytes()))
    with store.writing():
        stored = tuple(
            _store_layer(store, staged, paths, media_type, title)
            for title, media_type, paths in _plan(document)
            if paths
        )
        layers = tuple(layer for layer, _ in stored)
        config = _config(document, [diff_id for _, diff_id in stored])
        config_digest = store.put_bytes(config)
        descriptor = store.put_document(
            Manifest(
                artifact_type=media_types.MODEL_MANIFEST,
                config=Descriptor(
                    media_type=media_types.MODEL_CONFIG,
                    digest=config_digest,
                    size_bytes=len(config),
                ),
                layers=layers,
                annotations={
                    "org.opencontainers.image.title": document.name,
                    "org.opencontainers.image.version": document.version,
                },
            )
        )
        for name in names:
            store.set_name(name, descriptor)
    return descriptor


def _plan(document: BundleDocument) -> list[tuple[str, str, list[str]]]:
    """Say which files go into which layer: title, media type, paths in the bundle."""

    def paths(kind: str, below: str) -> list[str]:
        return [f"{below}{file.path}" for file in document.files if file.kind == kind]

    project = f"{layout.PROJECT}/"
    return [
        (layout.PROJECT, media_types.MODEL_WEIGHT_TAR, paths("model", project)),
        (layout.PROJECT, media_types.MODEL_CODE_TAR, paths("code", project)),
        (layout.WHEELS, media_types.MODEL_CODE_TAR, paths("wheel", "")),
        (layout.LOCK, media_types.MODEL_WEIGHT_CONFIG_TAR, [layout.LOCK]),
        (
            layout.DOCUMENT,
            media_types.MODEL_WEIGHT_CONFIG_TAR,
            [layout.DOCUMENT, layout.RECEIPT],
        ),
    ]


def _store_layer(
    store: Store, staged: Path, paths: list[str], media_type: str, title: str
) -> tuple[Descriptor, Digest]:
    """Store a layer, and give its descriptor and its diff ID."""
    members = [
        TarMember(
            path=f"{layout.ROOT}/{path}",
            data=(staged / path).read_bytes(),
            executable=bool((staged / path).stat().st_mode & 0o100),
        )
        for path in paths
    ]
    state = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for piece in write_tar(members):
            state.update(piece)
            yield piece

    digest, size = store.put_stream(stored_gzip(hashed()))
    layer = Descriptor(
        media_type=media_type + media_types.GZIP_SUFFIX,
        digest=digest,
        size_bytes=size,
        annotations={media_types.MODEL_FILEPATH: f"{layout.ROOT}/{title}"},
    )
    return layer, Digest(f"sha256:{state.hexdigest()}")


def _config(document: BundleDocument, diff_ids: list[Digest]) -> bytes:
    """Write the configuration that the ModelPack specification asks for."""
    return canonical_json(
        {
            "descriptor": {"name": document.name, "version": document.version},
            "config": {"format": document.model.format},
            "modelfs": {"type": "layers", "diffIds": [str(diff_id) for diff_id in diff_ids]},
        }
    )
