"""An image that was found somewhere: its configuration, and its layers to be unpacked."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, cast

from samovar.bundle.opened import Bundle, open_bundle
from samovar.core import media_types
from samovar.core.digest import Digest
from samovar.core.manifest import Index, Manifest
from samovar.errors import Damaged, InvalidReference, NotFound, UserError
from samovar.image.config import BUNDLE_DIGEST
from samovar.image.platform import own_platform
from samovar.store.unpack_inflate import inflated
from samovar.store.unpack_layer import extract_layer
from samovar.store.unpack_reader import Hashed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from samovar.core.descriptor import Descriptor
    from samovar.store.layout import Store

_MAX_CONFIG_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLayer:
    """A layer that can be read.

    Parameters
    ----------
    diff_id : Digest
        What its uncompressed bytes have to have.
    opened : callable
        Gives them, in a context.
    """

    diff_id: Digest
    opened: Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image for one platform.

    Parameters
    ----------
    where : str
        ``engine``, ``store``, ``registry`` or ``archive``.
    config : mapping
        Its configuration.
    config_data : bytes
        The same as it is stored.
    layers : tuple of FoundLayer
        Lowest first.
    bundle : Bundle, optional
        The bundle that travels beside it in its index.
    """

    where: str
    config: Mapping[str, Any]
    config_data: bytes
    layers: tuple[FoundLayer, ...]
    bundle: Bundle | None = None

    @property
    def digest(self) -> Digest:
        """The image's ID."""
        return Digest.of(self.config_data)

    @property
    def platform(self) -> str:
        """``linux/amd64``, ..."""
        return f"{self.config.get('os')}/{self.config.get('architecture')}"

    @property
    def execution(self) -> Mapping[str, Any]:
        """How a container of it is run: user, entry point, variables, labels."""
        found = self.config.get("config")
        return found if isinstance(found, dict) else {}

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its containers."""
        lines = self.execution.get("Env") or []
        return dict(line.split("=", 1) for line in lines if isinstance(line, str) and "=" in line)

    def label(self, name: str) -> str | None:
        """Give one of its labels."""
        labels = self.execution.get("Labels")
        value = labels.get(name) if isinstance(labels, dict) else None
        return value if isinstance(value, str) else None

    def unpack(self, root: Path) -> None:
        """Apply the layers to an empty folder; each has to be what the configuration says.

        Raises
        ------
        Damaged
            Naming the layer that is another.
        Refused
            Where a layer has a member that no honest one has.
        """
        root.mkdir()
        root.chmod(0o755)
        for layer in self.layers:
            with layer.opened() as stream:
                hashed = Hashed(stream)
                extract_layer(cast("IO[bytes]", hashed), root)
            if hashed.digest() != layer.diff_id:
                raise Damaged(
                    f"The image's layer {layer.diff_id} is not what its digest says.",
                    why=f"Its bytes have the digest {hashed.digest()}.",
                    hint="Build, save or pull the image again.",
                )


def stored_image(store: Store, descriptor: Descriptor, *, where: str, named: str) -> FoundImage:
    """Find this machine's image behind a manifest or an index of a store.

    Raises
    ------
    UserError
        Where there is none: a bundle alone, or images for other platforms.
    Damaged
        Where a document of it is altered.
    """
    content = store.read_document(descriptor)
    if isinstance(content, Index):
        content = _of_this_machine(store, content, named)
    if content.config.media_type not in {media_types.OCI_CONFIG, media_types.DOCKER_CONFIG}:
        raise UserError(
            f"{named} is a bundle; no image was built of it.",
            hint=f"Run 'samovar build {named}' first, or verify the bundle: 'samovar verify "
            f"{named}'.",
            code="not_an_image",
        )
    if content.config.size_bytes > _MAX_CONFIG_BYTES:
        raise Damaged(f"The configuration of {named} is too large.")
    data = store.read_blob(content.config)
    config, diff_ids = _read_config(data, named)
    if len(diff_ids) != len(content.layers):
        raise Damaged(f"The configuration of {named} does not describe its layers.")
    return FoundImage(
        where=where,
        config=config,
        config_data=data,
        layers=tuple(
            FoundLayer(diff_id=diff_id, opened=partial(_blob, store, layer))
            for diff_id, layer in zip(diff_ids, content.layers, strict=True)
        ),
        bundle=_bundle(store, descriptor),
    )


def claimed_bundle(store: Store, image: FoundImage) -> Bundle | None:
    """Give the bundle that an image says it is made of, where the store has it."""
    text = image.label(BUNDLE_DIGEST)
    if image.bundle is not None or text is None:
        return image.bundle
    try:
        return open_bundle(store, store.describe_blob(Digest.parse(text)))
    except (NotFound, UserError, InvalidReference):
        return None


def _of_this_machine(store: Store, index: Index, named: str) -> Manifest:
    wanted = own_platform()
    others = []
    for found in index.manifests:
        platform = found.platform
        name = None if platform is None else f"{platform.os}/{platform.architecture}"
        if name == wanted and (manifest := store.read_document(found)):
            if isinstance(manifest, Manifest):
                return manifest
        elif name is not None and not name.startswith("unknown"):
            others.append(name)
    raise UserError(
        f"{named} has no image for {wanted}.",
        why=f"It has images for {', '.join(sorted(others)) or 'no platform'}.",
        hint=f"Run 'samovar build --platform {wanted}', or verify it on such a machine.",
        code="not_an_image",
    )


def _read_config(data: bytes, named: str) -> tuple[dict[str, Any], list[Digest]]:
    try:
        document = json.loads(data)
        return dict(document), [Digest.parse(text) for text in document["rootfs"]["diff_ids"]]
    except (ValueError, KeyError, TypeError, AttributeError, InvalidReference) as error:
        raise Damaged(f"The configuration of {named} is not an image's.") from error


@contextmanager
def _blob(store: Store, layer: Descriptor) -> Iterator[IO[bytes]]:
    if layer.media_type.endswith("zstd"):
        raise UserError(
            f"The layer {layer.digest} is compressed by zstd, which samovar does not read.",
            hint="Push the image with gzip layers.",
            code="unknown_layer",
        )
    with store.writing(), store.open_blob(layer) as file:
        is_gzip = layer.media_type.endswith("gzip")
        yield cast("IO[bytes]", inflated(file)) if is_gzip else file


def _bundle(store: Store, descriptor: Descriptor) -> Bundle | None:
    try:
        return open_bundle(store, descriptor)
    except (UserError, NotFound):
        return None
