"""The steps of a build: no daemon, no root, and nothing of the image is executed.

`assemble` is the list of steps; each is a module beside this one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from samovar.bundle.opened import unpack_bundle
from samovar.core import layout as bundle_layout
from samovar.errors import Unavailable
from samovar.image.base_choice import choose_base
from samovar.image.config import describe_image
from samovar.image.evidence import attach_evidence
from samovar.image.made import Built, Image
from samovar.image.manifest import bundle_layers, start_layer, store_image, store_index
from samovar.image.packages import (
    choose_for_base,
    choose_runtime,
    package_layers,
    runtime_layers,
)
from samovar.image.platform import own_platform
from samovar.store.together import Together

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.env.lock import LockedFile, LockedPackage
    from samovar.image.base import Base
    from samovar.image.build import Options
    from samovar.image.packages import Wheels
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

_AT_ONCE: Final = 8
"""Layers on their way: some wait for a download while others are compressed."""


def assemble(
    home: Home,
    store: Store,
    bundle: Bundle,
    options: Options,
    platforms: tuple[str, ...],
    progress: Progress,
) -> Built:
    """Make the images of a bundle for some platforms, and the index that lists them.

    Raises
    ------
    SamovarError
        As image/build.py says; nothing is named then.
    """
    with ExitStack() as stack:
        travelling = _travelling(home, store, bundle, stack)
        small = stack.enter_context(Together(store))
        images: dict[str, Image] = {}
        made = 0
        for platform in platforms:
            progress(f"Building the image for {platform}")
            base = choose_base(
                home, store, options.base, bundle.document.python, platform, progress
            )
            build = _builder(home, base, platform, progress) if options.build_sdists else None
            wheels = choose_for_base(home, bundle.lock, base, platform, travelling, build)
            image, count = _one_image(
                home, store, small, bundle, base, wheels, platform, progress, grpc=options.grpc
            )
            images[platform] = image
            made += base.built + count
        index = store_index(small, bundle, list(images.values()), describe_image(bundle, None))
    return Built(index=index, images=images, built_layers=made)


def _one_image(
    home: Home,
    store: Store,
    small: Together,
    bundle: Bundle,
    base: Base,
    wheels: Wheels,
    platform: str,
    progress: Progress,
    *,
    grpc: bool,
) -> tuple[Image, int]:
    """Make the layers side by side, put them in order, and write the image."""
    runtime = choose_runtime(home, base, platform, grpc=grpc)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = package_layers(home, store, wheels, pool, progress)
        jobs += runtime_layers(home, store, runtime, pool, progress)
        answers = [job.result() for job in jobs]
    packages = [wheel.package for wheel in wheels.chosen]
    layers = [
        *base.layers,
        *(layer for layer, _ in answers),
        start_layer(store, bundle, base, packages, grpc=grpc),
        *bundle_layers(store, bundle),
    ]
    image = store_image(
        small,
        base=base,
        platform=platform,
        layers=layers,
        described=describe_image(bundle, base),
        grpc=grpc,
    )
    attach_evidence(
        home,
        small,
        bundle=bundle,
        base=base,
        wheels=wheels,
        runtime=[wheel for wheels in runtime for wheel in wheels.chosen],
        image=image,
        platform=platform,
    )
    return image, sum(made for _, made in answers)


def _builder(
    home: Home, base: Base, platform: str, progress: Progress
) -> Callable[[LockedPackage], LockedFile]:
    from samovar.image.sdists import build_sdist

    def build(package: LockedPackage) -> LockedFile:
        if platform != own_platform():
            raise Unavailable(
                f"{package.name} has no wheel for {platform}; its source is built on such a "
                "machine only.",
                hint=f"Run build --build-sdists --platform {platform} there.",
                code="no_wheel",
            )
        return build_sdist(home, package, base.minor, base.libc, progress)

    return build


def _travelling(home: Home, store: Store, bundle: Bundle, stack: ExitStack) -> Path | None:
    """Unpack the wheels that travel with the bundle, where there are any."""
    if not any(file.kind == "wheel" for file in bundle.document.files):
        return None
    workspace = stack.enter_context(home.workspace())
    return unpack_bundle(store, bundle, workspace / "bundle") / bundle_layout.WHEELS
