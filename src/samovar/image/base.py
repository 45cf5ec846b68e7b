"""What an image stands on: layers with a C library and an interpreter."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from samovar.image.base_debian import LAYERS, VERSION, base_members, fetch_debs
from samovar.image.layer import store_layer
from samovar.image.layer_cache import cached_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samovar.core.digest import Digest
    from samovar.image.base_lock import BaseLock
    from samovar.image.made import Layer
    from samovar.image.platform import Libc
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

_WHAT = {
    "base": "Debian {release}: C library, certificates, time zones",
    "interpreter": "Python {python}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Something that a base is made of, for the bill of materials.

    Parameters
    ----------
    name, version : str
        Of the package.
    purl : str
        Package URL.
    sha256 : str, optional
        Of its archive.
    """

    name: str
    version: str
    purl: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base for one platform, in the store.

    Parameters
    ----------
    name : str
        What it is called in the image's annotations.
    digest : Digest
        Of ``base.lock``, or of the image's manifest.
    layers : tuple of Layer
        Lowest first.
    python : str
        Path of the interpreter.
    minor : str
        Its version, ``3.11``.
    libc : Libc
        The C library.
    variables : mapping of str to str
        Environment that the base's own configuration sets.
    components : tuple of Component
        Packages in it, where they are known.
    built : int
        Layers that had to be made.
    """

    name: str
    digest: Digest
    layers: tuple[Layer, ...]
    python: str
    minor: str
    libc: Libc
    variables: Mapping[str, str] = field(default_factory=dict)
    components: tuple[Component, ...] = ()
    built: int = 0


def debian_base(
    home: Home, store: Store, lock: BaseLock, platform: str, progress: Progress
) -> Base:
    """Make the base that a ``base.lock`` describes, or find it.

    Parameters
    ----------
    lock : BaseLock
        Its packages.
    platform : str
        ``linux/amd64``, ...
    progress : callable
        Is told what is going on.

    Raises
    ------
    Unavailable
        Where a package cannot be had.
    """
    debs = [(deb.name, deb.version, deb.sha256, deb.layer) for deb in lock.packages[platform]]

    def make(layer: str) -> Layer:
        fetched = fetch_debs(home.cache("debs"), lock, platform, progress)
        members = base_members(lock, platform, layer, fetched)
        return store_layer(
            store, members, _WHAT[layer].format(release=lock.release, python=lock.python)
        )

    layers, built = [], 0
    for layer in LAYERS:
        key = {"kind": f"debian {VERSION}", "layer of": layer, "debs": debs}
        found, made = cached_layer(home, store, key, partial(make, layer))
        layers.append(found)
        built += made
    return Base(
        name=f"debian-{lock.suite}",
        digest=lock.digest,
        layers=tuple(layers),
        python=f"/usr/bin/python{lock.python}",
        minor=lock.python,
        libc=lock.libc,
        components=tuple(
            Component(
                name=deb.name,
                version=deb.version,
                purl=_purl(deb.name, deb.version, platform, lock.suite),
                sha256=deb.sha256,
            )
            for deb in lock.packages[platform]
        ),
        built=built,
    )


def _purl(name: str, version: str, platform: str, suite: str) -> str:
    from urllib.parse import quote

    architecture = platform.partition("/")[2]
    return (
        f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={architecture}&distro={suite}"
    )
