"""Image manifests and image indexes: bytes as received, beside what they say.

References
----------
OCI image specification, manifest.md and image-index.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samovar.core import media_types
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""What registries accept at least (distribution specification, "Pushing Manifests")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image manifest; artifacts are manifests too."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    media_type: str = media_types.OCI_MANIFEST

    def to_bytes(self) -> bytes:
        """Encode as canonical JSON; the digest of these bytes is the manifest's."""
        layers = [layer.to_json() for layer in self.layers]
        return _encoded(self, {"config": self.config.to_json(), "layers": layers})

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read a manifest from outside.

        Raises
        ------
        Damaged
            Naming the field that is wrong.
        """
        document = _document(data, media_types.MANIFESTS, "manifest")
        return cls(
            layers=_listed(document, "layers", "manifest"),
            config=Descriptor.from_json(document.get("config"), where="manifest.config"),
            artifact_type=document.get("artifactType"),
            subject=_subject(document, "manifest"),
            annotations=document.get("annotations") or {},
            media_type=document.get("mediaType") or media_types.OCI_MANIFEST,
        )

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The configuration and the layers, in this order."""
        return (self.config, *self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An image index: a list of manifests under one digest."""

    manifests: tuple[Descriptor, ...]
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    media_type: str = media_types.OCI_INDEX

    def to_bytes(self) -> bytes:
        """Encode as canonical JSON; the digest of these bytes is the index's."""
        return _encoded(self, {"manifests": [one.to_json() for one in self.manifests]})

    @classmethod
    def from_bytes(cls, data: bytes) -> Index:
        """Read an index from outside.

        Raises
        ------
        Damaged
            Naming the field that is wrong.
        """
        document = _document(data, media_types.INDEXES, "index")
        return cls(
            manifests=_listed(document, "manifests", "index"),
            artifact_type=document.get("artifactType"),
            subject=_subject(document, "index"),
            annotations=document.get("annotations") or {},
            media_type=document.get("mediaType") or media_types.OCI_INDEX,
        )


def describe(content: Manifest | Index) -> tuple[Descriptor, bytes]:
    """Give the descriptor of a manifest or index, and its bytes."""
    data = content.to_bytes()
    return Descriptor(
        media_type=content.media_type,
        digest=Digest.of(data),
        size_bytes=len(data),
        artifact_type=content.artifact_type,
    ), data


def _encoded(content: Manifest | Index, own: dict[str, Any]) -> bytes:
    document = {"schemaVersion": 2, "mediaType": content.media_type, **own}
    if content.artifact_type is not None:
        document["artifactType"] = content.artifact_type
    if content.subject is not None:
        document["subject"] = content.subject.to_json()
    if content.annotations:
        document["annotations"] = dict(content.annotations)
    return canonical_json(document)


def _listed(document: Mapping[str, Any], key: str, what: str) -> tuple[Descriptor, ...]:
    found = document.get(key)
    if not isinstance(found, list):
        raise Damaged(f"The {what} has no list of {key}.")
    return tuple(
        Descriptor.from_json(one, where=f"{what}.{key}[{i}]") for i, one in enumerate(found)
    )


def _subject(document: Mapping[str, Any], what: str) -> Descriptor | None:
    subject = document.get("subject")
    return Descriptor.from_json(subject, where=f"{what}.subject") if subject else None


def _document(data: bytes, media: Sequence[str] | frozenset[str], what: str) -> dict[str, Any]:
    if len(data) > MAX_MANIFEST_BYTES:
        raise Damaged(f"The {what} has {len(data)} bytes; the limit is {MAX_MANIFEST_BYTES}.")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"The {what} is not JSON.") from error
    if not isinstance(document, dict) or document.get("schemaVersion") != 2:
        raise Damaged(f"The {what} is not an object of schema version 2.")
    declared = document.get("mediaType")
    if declared is not None and declared not in media:
        raise Damaged(f"The {what} says that it is {declared!r}.")
    if "manifests" in document and ("layers" in document or "config" in document):
        # CVE-2021-41190: readers that disagree on the kind would see different content.
        raise Damaged(f"The {what} claims to be a manifest and an index at once.")
    artifact_type = document.get("artifactType")
    annotations = document.get("annotations") or {}
    if artifact_type is not None and not isinstance(artifact_type, str):
        raise Damaged(f"The {what}'s artifactType is not a string.")
    if not isinstance(annotations, dict) or not all(
        isinstance(key, str) and isinstance(value, str) for key, value in annotations.items()
    ):
        raise Damaged(f"The {what}'s annotations are not a map of strings.")
    return document
