"""Descriptors: the typed, sized, digested pointers of the OCI image specification.

References
----------
OCI image specification, descriptor.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from samovar.core.digest import Digest
from samovar.errors import Damaged, InvalidReference

if TYPE_CHECKING:
    from collections.abc import Mapping

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Operating system and processor architecture in Go's words, as OCI uses them."""

    os: str
    architecture: str
    variant: str | None = None

    def to_json(self) -> dict[str, str]:
        """Give the object as the specification writes it."""
        document = {"architecture": self.architecture, "os": self.os}
        if self.variant is not None:
            document["variant"] = self.variant
        return document

    def __str__(self) -> str:
        parts = [self.os, self.architecture, self.variant]
        return "/".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A pointer to content: media type, digest and size in bytes.

    Parameters
    ----------
    media_type : str
        RFC 6838 media type of the content.
    digest : Digest
        Of the bytes as stored or sent.
    size_bytes : int
        Length of those bytes.
    annotations : mapping of str to str
        Arbitrary metadata.
    artifact_type : str, optional
        Type of the artifact, where the content is a manifest of one.
    platform : Platform, optional
        Of the image, where the content is an image manifest in an index.
    """

    media_type: str
    digest: Digest
    size_bytes: int
    annotations: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    artifact_type: str | None = None
    platform: Platform | None = None

    @classmethod
    def from_json(cls, document: Any, *, where: str = "descriptor") -> Descriptor:
        """Read a descriptor from outside, checking every field.

        Raises
        ------
        Damaged
            Naming the field that is missing or malformed.
        """
        if not isinstance(document, dict):
            raise Damaged(f"{where} is not an object.")
        media_type = document.get("mediaType")
        size = document.get("size")
        if not isinstance(media_type, str) or not media_type:
            raise Damaged(f"{where}.mediaType is missing.")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise Damaged(f"{where}.size is not a number of bytes.")
        try:
            digest = Digest.parse(document.get("digest", ""))
        except InvalidReference as error:
            raise Damaged(f"{where}.digest: {error.message}") from error
        annotations = document.get("annotations") or {}
        if not isinstance(annotations, dict) or not all(
            isinstance(key, str) and isinstance(value, str) for key, value in annotations.items()
        ):
            raise Damaged(f"{where}.annotations is not a map of strings.")
        artifact_type = document.get("artifactType")
        if artifact_type is not None and not isinstance(artifact_type, str):
            raise Damaged(f"{where}.artifactType is not a string.")
        return cls(
            media_type=media_type,
            digest=digest,
            size_bytes=size,
            annotations=MappingProxyType(dict(annotations)),
            artifact_type=artifact_type,
            platform=_platform_from_json(document.get("platform"), f"{where}.platform"),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the object as the specification writes it, without empty fields."""
        document: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size_bytes,
        }
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.artifact_type is not None:
            document["artifactType"] = self.artifact_type
        if self.platform is not None:
            document["platform"] = self.platform.to_json()
        return document


def _platform_from_json(document: Any, where: str) -> Platform | None:
    if document is None:
        return None
    if not isinstance(document, dict):
        raise Damaged(f"{where} is not an object.")
    os_name, architecture = document.get("os"), document.get("architecture")
    variant = document.get("variant")
    if not isinstance(os_name, str) or not isinstance(architecture, str):
        raise Damaged(f"{where} names no operating system and architecture.")
    if variant is not None and not isinstance(variant, str):
        raise Damaged(f"{where}.variant is not a string.")
    return Platform(os=os_name, architecture=architecture, variant=variant)
