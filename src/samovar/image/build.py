"""Build an image from a bundle, or find the one that was built before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.image.base_lock import DEBIAN
from samovar.image.built_before import find_built, inputs_of, remember_built
from samovar.image.platform import checked_platforms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.bundle.opened import Bundle
    from samovar.core.reference import Reference
    from samovar.image.made import Built
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to build.

    Parameters
    ----------
    base : str
        ``debian``, a ``base.lock`` file, or the reference of an image.
    platforms : tuple of str
        Empty is this machine's.
    build_sdists : bool
        Build packages that have no wheel from their source, in a sandbox.
    grpc : bool
        Answer over gRPC too.
    """

    base: str = DEBIAN
    platforms: tuple[str, ...] = ()
    build_sdists: bool = False
    grpc: bool = False


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
    platforms = checked_platforms(options.platforms)
    inputs = inputs_of(bundle, options, platforms)
    with store.writing():
        built = find_built(home, store, inputs)
        if built is None:
            # An unchanged bundle needs nothing of what a build imports.
            from samovar.image.assemble import assemble

            built = assemble(home, store, bundle, options, platforms, progress)
            remember_built(home, inputs, built)
        for name in names:
            store.set_name(name, built.index)
    return built
