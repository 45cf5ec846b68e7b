"""Bundles, indexes and attestations that tests push."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.manifest import Index, Manifest

if TYPE_CHECKING:
    from samovar.store.layout import Store


def put_blob(store: Store, data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=store.put_bytes(data), size_bytes=len(data))


def put_bundle(store: Store, model: bytes = b"model" * 1000, code: bytes = b"code") -> Descriptor:
    return store.put_document(
        Manifest(
            config=put_blob(store, b"{}", media_types.MODEL_CONFIG),
            layers=(
                put_blob(store, model, media_types.MODEL_WEIGHT_TAR),
                put_blob(store, code, media_types.MODEL_CODE_TAR),
            ),
            artifact_type=media_types.MODEL_MANIFEST,
        )
    )


def put_index(store: Store, *children: Descriptor) -> Descriptor:
    """Store an index; without artifact types, which older skopeos drop from descriptors."""
    plain = tuple(replace(child, artifact_type=None) for child in children)
    return store.put_document(Index(manifests=plain))


def put_attestation(store: Store, subject: Descriptor, words: bytes = b"proof") -> Descriptor:
    return store.put_document(
        Manifest(
            config=put_blob(store, b"{}", media_types.OCI_EMPTY),
            layers=(put_blob(store, words, media_types.IN_TOTO_ENVELOPE),),
            artifact_type="application/vnd.in-toto+json",
            subject=subject,
        )
    )
