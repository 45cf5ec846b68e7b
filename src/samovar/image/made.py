"""What a build makes: layers, images, and the index that lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.image.platform import own_platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of an image.

    Parameters
    ----------
    descriptor : Descriptor
        Of its bytes as stored and sent.
    diff_id : Digest
        Of the uncompressed tar file.
    what : str
        What it holds, for people.
    """

    descriptor: Descriptor
    diff_id: Digest
    what: str

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {
            "descriptor": self.descriptor.to_json(),
            "diff_id": str(self.diff_id),
            "what": self.what,
        }

    @classmethod
    def from_json(cls, document: Any) -> Layer:
        """Read the stored form.

        Raises
        ------
        Damaged, InvalidReference, KeyError
            Where it is none.
        """
        return cls(
            descriptor=Descriptor.from_json(document["descriptor"]),
            diff_id=Digest.parse(document["diff_id"]),
            what=str(document["what"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image for one platform, in the store.

    Parameters
    ----------
    descriptor : Descriptor
        Of its manifest, with the platform.
    config_digest : Digest
        Its ID.
    layers : tuple of Layer
        Lowest first.
    """

    descriptor: Descriptor
    config_digest: Digest
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image in the store.

    Parameters
    ----------
    index : Descriptor
        Of the index that lists the images and the bundle.
    images : dict of str to Image
        By platform.
    built_layers : int
        How many layers had to be made; 0 where nothing had changed.
    """

    index: Descriptor
    images: dict[str, Image]
    built_layers: int

    @property
    def image(self) -> Image:
        """The image for this machine's platform, else the first."""
        return self.images.get(own_platform()) or next(iter(self.images.values()))

    @property
    def image_id(self) -> Digest:
        """ID of the image for this machine's platform."""
        return self.image.config_digest

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of all platforms, each once."""
        return tuple(
            {
                layer.diff_id: layer for image in self.images.values() for layer in image.layers
            }.values()
        )

    @property
    def size_bytes(self) -> int:
        """What a registry keeps of the images, in bytes."""
        return sum(layer.descriptor.size_bytes for layer in self.layers)

    def to_json(self, reference: str, elapsed_s: float) -> dict[str, Any]:
        """Give the object that ``build --json`` prints."""
        return {
            "ref": reference,
            "digest": str(self.index.digest),
            "image_id": str(self.image_id),
            "platforms": list(self.images),
            "size_bytes": self.size_bytes,
            "layers": [
                {
                    "digest": str(layer.descriptor.digest),
                    "size_bytes": layer.descriptor.size_bytes,
                    "what": layer.what,
                }
                for layer in self.layers
            ],
            "built_layers": self.built_layers,
            "elapsed_s": round(elapsed_s, 3),
        }
