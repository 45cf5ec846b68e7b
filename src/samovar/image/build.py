"""Build an image from a bundle: no daemon, no root, nothing of the image is executed.

`build_image` is the list of steps; each is a module beside this one.
"""

from __future__ import annotations

import platform as machine_platform
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.opened import unpack_bundle
from samovar.core import bundle as bundle_layout
from samovar.core.platforms import marker_environment
from samovar.env.lock import Lock
from samovar.errors import UserError
from samovar.image.base_choice import choose_base
from samovar.image.built_before import find_built, inputs_of, remember_built
from samovar.image.config import describe_image
from samovar.image.evidence import attach_evidence
from samovar.image.manifest import (
    Image,
    bundle_layers,
    start_layer,
    store_image,
    store_index,
)
from samovar.image.packages import (
    choose_for_base,
    choose_runtime,
    package_layers,
    runtime_layers,
)
from samovar.image.wheel_choice import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.core.reference import Reference
    from samovar.image.base import Base
    from samovar.image.layer import Layer
    from samovar.image.packages import Wheels
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

DEFAULT_BASE: Final = "debian"
_AT_ONCE: Final = 8
"""Layers on their way: some wait for a download while others are compressed."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to build.

    Parameters
    ----------
    base : str
        ``debian``, a ``base.lock`` file, or the reference of an image.
    platforms : tuple of str
        Empty is this machine's.
    """

    base: str = DEFAULT_BASE
    platforms: tuple[str, ...] = ()


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


def build_image(
    home: Home,
    store: Store,
    bundle: Bundle,
    options: Options,
    *,
    names: Sequence[Reference],
    progress: Progress,
) -> Built:
    """Build, or find, the images of a bundle, and name their index.

    Parameters
    ----------
    home, store : Home, Store
        Where caches are, and where the image goes.
    bundle : Bundle
        What is to run.
    options : Options
        Base and platforms.
    names : sequence of Reference
        What the index is to be called in the store.
    progress : callable
        Is told what is going on.

    Raises
    ------
    UserError
        For a platform or a base that images cannot be made for.
    Unavailable
        Where a wheel or a package of the base cannot be had; it is named.
    Damaged, Refused
        Where something that came is not what its digest says, or is hostile.
    """
    platforms = _checked(options.platforms)
    inputs = inputs_of(bundle, options.base, platforms)
    with store.writing():
        built = find_built(home, store, inputs)
        if built is None:
            built = _build(home, store, bundle, options.base, platforms, progress)
            remember_built(home, inputs, built)
        for name in names:
            store.set_name(name, built.index)
    return built


def own_platform() -> str:
    """Give the platform whose images run on this machine."""
    architecture = _ARCHITECTURES.get(machine_platform.machine(), "amd64")
    return f"linux/{architecture}"


def _checked(platforms: Sequence[str]) -> tuple[str, ...]:
    for name in platforms:
        if name not in PLATFORMS:
            raise UserError(
                f"Images are not made for {name!r}.",
                hint=f"Platforms of images are {' and '.join(PLATFORMS)}.",
                code="unknown_platform",
            )
    return tuple(sorted(set(platforms))) or (own_platform(),)


def _build(
    home: Home,
    store: Store,
    bundle: Bundle,
    base_text: str,
    platforms: tuple[str, ...],
    progress: Progress,
) -> Built:
    with ExitStack() as stack:
        lock = Lock.from_bytes(bundle.lock)
        travelling = _travelling(home, store, bundle, stack)
        images: dict[str, Image] = {}
        made = 0
        for platform in platforms:
            progress(f"Building the image for {platform}")
            base = choose_base(home, store, base_text, bundle.document.python, platform, progress)
            wheels = choose_for_base(lock, base, platform, travelling)
            image, count = _one_image(home, store, bundle, base, wheels, platform, progress)
            images[platform] = image
            made += base.built + count
        index = store_index(store, bundle, list(images.values()), describe_image(bundle, None))
    return Built(index=index, images=images, built_layers=made)


def _one_image(
    home: Home,
    store: Store,
    bundle: Bundle,
    base: Base,
    wheels: Wheels,
    platform: str,
    progress: Progress,
) -> tuple[Image, int]:
    """Make the layers side by side, put them in order, and write the image."""
    runtime = choose_runtime(home, base, platform)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = package_layers(home, store, wheels, pool, progress)
        jobs += runtime_layers(home, store, runtime, pool, progress)
        answers = [job.result() for job in jobs]
    environment = marker_environment(platform, base.minor)
    packages = Lock.from_bytes(bundle.lock).packages_for(environment)
    layers = [
        *base.layers,
        *(layer for layer, _ in answers),
        *bundle_layers(bundle),
        start_layer(store, bundle, base, packages),
    ]
    image = store_image(
        store,
        base=base,
        platform=platform,
        layers=layers,
        described=describe_image(bundle, base),
    )
    attach_evidence(
        home,
        store,
        bundle=bundle,
        base=base,
        wheels=wheels,
        runtime=runtime,
        image=image,
        platform=platform,
    )
    return image, sum(made for _, made in answers)


def _travelling(home: Home, store: Store, bundle: Bundle, stack: ExitStack) -> Path | None:
    """Unpack the wheels that travel with the bundle, where there are any."""
    if not any(file.kind == "wheel" for file in bundle.document.files):
        return None
    workspace = stack.enter_context(home.workspace())
    return unpack_bundle(store, bundle, workspace / "bundle") / bundle_layout.WHEELS


def result_json(reference: str, built: Built, elapsed_s: float) -> dict[str, Any]:
    """Give the object that ``build --json`` prints."""
    return {
        "ref": reference,
        "digest": str(built.index.digest),
        "image_id": str(built.image_id),
        "platforms": list(built.images),
        "size_bytes": built.size_bytes,
        "layers": [
            {
                "digest": str(layer.descriptor.digest),
                "size_bytes": layer.descriptor.size_bytes,
                "what": layer.what,
            }
            for layer in built.layers
        ],
        "built_layers": built.built_layers,
        "elapsed_s": round(elapsed_s, 3),
    }
