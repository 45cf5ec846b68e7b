"""Compare what an image stands on with the base that it names.

A base is layers, and each layer's uncompressed bytes have a digest that ``base.lock`` pins (a base
image's configuration has its own). So where the lowest layers of an image are those, what is in
them is what has to be in the image's root: nothing above may change it, and what no part of
samovar's build wrote is nobody's.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from samovar.bundle.child import Mismatch
from samovar.core import layout
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.errors import InvalidReference, SamovarError
from samovar.image.base import debian_base
from samovar.image.base_lock import shipped_bases
from samovar.image.config import BASE_DIGEST, BASE_NAME
from samovar.image.paths import JOB, RUNTIME, VENV
from samovar.store.digests import digest_file
from samovar.store.unpack_inflate import inflated
from samovar.store.unpack_layer import extract_layer
from samovar.store.unpack_reader import Hashed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from samovar.image.found_image import FoundImage
    from samovar.image.root_files import RootFiles
    from samovar.store.home import Home
    from samovar.store.layout import Store

_OURS: Final = tuple(
    f"{place.strip('/')}/" for place in (VENV, RUNTIME, layout.ROOT, JOB.rpartition("/")[0])
)
"""Folders whose files are compared with lock, code and bundle."""
_OF_ENGINES: Final = frozenset(
    {"etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", ".dockerenv", "dev/console"}
)
"""Engines make these in a container before it starts, and keep them when it is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedBase:
    """What came of it.

    Parameters
    ----------
    name : str
        What the image says that it stands on.
    is_known : bool
        Whether anybody here knows what that base looks like.
    altered : tuple of str
        Paths that are not as in the base, or layers where nothing more can be said.
    """

    name: str
    is_known: bool
    altered: tuple[str, ...]


def compare_base(
    home: Home, store: Store, image: FoundImage, root: RootFiles, workspace: Path
) -> ComparedBase:
    """Compare the files of an image's root that its base brought.

    Parameters
    ----------
    root : RootFiles
        The image, unpacked.
    workspace : Path
        Where the base is unpacked beside it.

    Raises
    ------
    SamovarError
        Where a layer cannot be read.
    """
    name = image.label(BASE_NAME) or "unknown"
    pinned = _pinned(store, image)
    if pinned is None:
        return ComparedBase(name=name, is_known=False, altered=())
    pristine = workspace / "base"
    pristine.mkdir()
    own = [layer.diff_id for layer in image.layers[: len(pinned)]]
    if own == pinned:
        for layer in image.layers[: len(pinned)]:
            with layer.opened() as stream:
                extract_layer(stream, pristine)
    elif not _unpack_own(home, store, image, pinned, pristine):
        lost = [str(diff_id) for diff_id in pinned if diff_id not in own]
        return ComparedBase(name=name, is_known=True, altered=tuple(lost))
    return ComparedBase(name=name, is_known=True, altered=tuple(_differing(pristine, root.folder)))


def base_mismatches(base: ComparedBase, named: Sequence[Mismatch]) -> list[Mismatch]:
    """Give the answer's entry; files that other entries name already are left out."""
    known = {path for mismatch in named for path in mismatch.files}
    files = tuple(sorted(set(base.altered) - known))
    if not files:
        return []
    return [Mismatch(name="base", wanted=base.name, found="altered", files=files)]


def _pinned(store: Store, image: FoundImage) -> list[Digest] | None:
    """Give the diff IDs that the base's digest stands for; None where nobody here knows it."""
    text = image.label(BASE_DIGEST)
    try:
        digest = None if text is None else Digest.parse(text)
    except InvalidReference:
        digest = None
    if digest is None:
        return None
    for lock in shipped_bases():
        if lock.digest == digest and image.platform in lock.layers:
            return list(lock.layers[image.platform])
    return _of_base_image(store, digest)


def _of_base_image(store: Store, digest: Digest) -> list[Digest] | None:
    """Read the diff IDs of an image that was built upon, where the store has kept it."""
    try:
        content = store.read_document(store.describe_blob(digest))
        if not isinstance(content, Manifest):
            return None
        document = json.loads(store.read_blob(content.config))
        return [Digest.parse(one) for one in document["rootfs"]["diff_ids"]]
    except (SamovarError, ValueError, KeyError, TypeError):
        return None


def _unpack_own(
    home: Home, store: Store, image: FoundImage, pinned: list[Digest], into: Path
) -> bool:
    """Unpack the base as this machine makes it, where the image has other layers."""
    for lock in shipped_bases():
        if list(lock.layers.get(image.platform, ())) == pinned:
            break
    else:
        return False
    try:
        layers = debian_base(home, store, lock, image.platform, lambda _: None).layers
    except SamovarError:
        return False  # no network, or a mirror that dropped a package
    for layer in layers:
        with store.open_blob(layer.descriptor) as file:
            stream = Hashed(inflated(file))
            extract_layer(cast("IO[bytes]", stream), into)
    return True


def _differing(pristine: Path, root: Path) -> Iterator[str]:
    wanted = set(_paths(pristine))
    here = set(_paths(root))
    for path in wanted:
        if path not in here or _content(root / path) != _content(pristine / path):
            yield path
    for path in here - wanted:
        if not path.startswith(_OURS) and path not in _OF_ENGINES:
            yield path


def _paths(root: Path) -> Iterator[str]:
    """Give every file and link below a folder."""
    for folder, folders, files in os.walk(root):
        here = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if here == "." else f"{here}/"
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114 - many
        yield from (f"{prefix}{name}" for name in (*files, *links))


def _content(path: Path) -> str:
    """Give a file's digest, or where a link leads."""
    return f"link to {path.readlink()}" if path.is_symlink() else str(digest_file(path))
