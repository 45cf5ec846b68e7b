"""From layers to an image, and from images and their bundle to one index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from samovar.core import layout, media_types
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor, Platform
from samovar.core.digest import Digest
from samovar.core.manifest import Index, Manifest
from samovar.core.tar import TarMember
from samovar.image.config import Described, image_config
from samovar.image.layer import store_layer
from samovar.image.made import Image, Layer
from samovar.image.paths import BUNDLE, GRPC_PORT, JOB, PORT, RUNTIME, START, VENV

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.bundle.opened import Bundle
    from samovar.env.lock import LockedPackage
    from samovar.image.base import Base
    from samovar.store.layout import Store
    from samovar.store.together import Together

_NO_PLATFORM: Final = Platform(os="unknown", architecture="unknown")
"""What engines pass over when they choose an image; a missing platform some take for their own."""
_TITLES: Final = {
    layout.PROJECT: "code",
    layout.WHEELS: "wheels",
    layout.LOCK: "lock",
    layout.DOCUMENT: "description and receipt",
    layout.RECEIPT: "receipt",
}
_CHANGING: Final = frozenset({"model", "description and receipt", "receipt"})
GRPC_JOB: Final = {"port": GRPC_PORT, "packages": f"/{RUNTIME}"}
"""What the server is told of gRPC, whose packages lie beside the runtime's."""
_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_MAX_QUEUE: Final = 1024


def bundle_layers(store: Store, bundle: Bundle) -> list[Layer]:
    """Give the bundle's own blobs as layers, the very same; what changes with a model is last."""
    config = json.loads(store.read_blob(bundle.manifest.config))
    diff_ids = [Digest.parse(text) for text in config["modelfs"]["diffIds"]]
    layers = [
        Layer(
            descriptor=Descriptor(
                media_type=_as_layer(blob),
                digest=blob.digest,
                size_bytes=blob.size_bytes,
            ),
            diff_id=diff_id,
            what=_title(blob),
        )
        for blob, diff_id in zip(bundle.manifest.layers, diff_ids, strict=True)
    ]
    return sorted(layers, key=lambda layer: layer.what in _CHANGING)


def _title(blob: Descriptor) -> str:
    """Say what a layer of a bundle holds; code and wheels are of one type, and so are documents."""
    if blob.media_type.startswith(media_types.MODEL_WEIGHT_TAR):
        return "model"
    path = blob.annotations.get(media_types.MODEL_FILEPATH, "")
    return _TITLES.get(path.removeprefix(f"{layout.ROOT}/"), "bundle")


def _as_layer(blob: Descriptor) -> str:
    is_gzip = blob.media_type.endswith(media_types.GZIP_SUFFIX)
    return media_types.OCI_LAYER_GZIP if is_gzip else media_types.OCI_LAYER_TAR


def jobs(
    bundle: Bundle, packages: Sequence[LockedPackage], *, grpc: bool = False
) -> dict[str, bytes]:
    """Give the files that tell an image's first process what to do, by their paths in the image.

    Parameters
    ----------
    packages : sequence of LockedPackage
        What the lock wants there; it is checked before anything of the bundle is loaded.
    grpc : bool
        Answer over gRPC too.
    """
    wanted = {
        "python": bundle.document.python,
        "packages": [{"name": found.name, "version": found.version} for found in packages],
    }
    serve = {
        "verb": "serve",
        "bundle": BUNDLE,
        "wanted": wanted,
        "name": bundle.document.name,
        "app": None,
        "host": "0.0.0.0",  # noqa: S104 - a container's network is its own
        "port": PORT,
        "workers": None,
        "max_body_bytes": _MAX_BODY_BYTES,
        "max_queue": _MAX_QUEUE,
        "ready": "text",
        **({"grpc": GRPC_JOB} if grpc else {}),
    }
    start = {"verb": "start", "bundle": BUNDLE, "numerics": bundle.receipt.numerics, "then": JOB}
    return {JOB: canonical_json(serve), START: canonical_json(start)}


def start_layer(
    store: Store,
    bundle: Bundle,
    base: Base,
    packages: Sequence[LockedPackage],
    *,
    grpc: bool = False,
) -> Layer:
    """Write the layer that joins the others: the virtual environment's frame, and what to start."""
    home, _, program = base.python.rpartition("/")
    frame = (
        f"home = {home}\ninclude-system-site-packages = false\nversion = {base.minor}\n"
        f"executable = {base.python}\n"
    )
    members = [
        *(
            TarMember(path=path.lstrip("/"), data=data)
            for path, data in jobs(bundle, packages, grpc=grpc).items()
        ),
        TarMember(path=f"{VENV}/pyvenv.cfg", data=frame.encode()),
        TarMember(path=f"{VENV}/bin/python", link=base.python),
        TarMember(path=f"{VENV}/bin/python3", link="python"),
    ]
    if program not in {"python", "python3"}:
        members.append(TarMember(path=f"{VENV}/bin/{program}", link="python"))
    return store_layer(store, members, "environment and what to start")


def store_image(
    store: Store | Together,
    *,
    base: Base,
    platform: str,
    layers: Sequence[Layer],
    described: Described,
    grpc: bool = False,
) -> Image:
    """Write an image's configuration and manifest."""
    config = image_config(
        base=base, platform=platform, layers=layers, described=described, grpc=grpc
    )
    config_digest = store.put_bytes(config)
    stored = store.put_document(
        Manifest(
            config=Descriptor(
                media_type=media_types.OCI_CONFIG, digest=config_digest, size_bytes=len(config)
            ),
            layers=tuple(layer.descriptor for layer in layers),
            annotations=described.annotations,
        )
    )
    operating_system, _, architecture = platform.partition("/")
    return Image(
        descriptor=Descriptor(
            media_type=stored.media_type,
            digest=stored.digest,
            size_bytes=stored.size_bytes,
            platform=Platform(os=operating_system, architecture=architecture),
        ),
        config_digest=config_digest,
        layers=tuple(layers),
    )


def store_index(
    store: Store | Together, bundle: Bundle, images: Sequence[Image], described: Described
) -> Descriptor:
    """Write the index that lists an image for each platform, and the bundle.

    The bundle's type stands in its manifest alone: older skopeos drop it from descriptors, and the
    index would lose its digest on the way.
    """
    listed = Descriptor(
        media_type=bundle.descriptor.media_type,
        digest=bundle.descriptor.digest,
        size_bytes=bundle.descriptor.size_bytes,
        platform=_NO_PLATFORM,
    )
    return store.put_document(
        Index(
            manifests=(*(image.descriptor for image in images), listed),
            annotations=described.annotations,
        )
    )
