"""What ``image:REF`` means: a file, or an image of the Docker engine, the store or a registry.

The engine comes before the store: what it has under a name is what runs under that name.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.bundle.archive import read_layout_index
from samovar.bundle.checking import check_content
from samovar.core.reference import Reference
from samovar.env.docker import docker, image_id
from samovar.errors import InvalidReference, NotFound, UserError
from samovar.image.docker_save import is_docker_archive, read_docker_archive
from samovar.image.found_image import FoundImage, stored_image
from samovar.store.home import is_offline
from samovar.store.layout import Store
from samovar.store.unpack import extract_tar

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str], None]

SCHEME: Final = "image:"
_EXPLICIT: Final = (".", "~", "/", os.sep)


def find_image(store: Store, text: str, *, workspace: Path, progress: Progress) -> FoundImage:
    """Find an image by what follows ``image:``.

    Parameters
    ----------
    text : str
        A path of an OCI layout, an OCI archive or a docker archive; a name, digest or ID in the
        Docker engine; a name or digest in the store; a registry reference.
    workspace : Path
        A folder for what has to be unpacked or saved; the image's layers are read from it.

    Raises
    ------
    NotFound
        Where it is nowhere.
    """
    path = Path(text).expanduser()
    if text.startswith(_EXPLICIT) or text.endswith((".tar", "/")):
        return _of_path(path, workspace)
    is_digest = text.startswith("sha256:")
    reference = Reference.parse(f"image@{text}" if is_digest else text)
    in_engine = image_id(text)
    if in_engine is not None:
        progress(f"Saving {text} from the Docker engine")
        file = workspace / "image.tar"
        with file.open("wb") as saved:
            docker(["image", "save", in_engine], stdout=saved)
        return read_docker_archive(file, where="engine")
    try:
        found = store.resolve(reference)
    except NotFound as error:
        if path.exists():
            return _of_path(path, workspace)
        if not reference.is_remote or is_offline():
            raise NotFound(
                f"There is no image {text}.",
                why="Neither the store nor a Docker engine has it.",
                hint="Build it ('samovar build'), or give a registry's name or a file: "
                "image:HOST/NAME, image:./FILE.tar.",
            ) from error
    else:
        return stored_image(store, found, where="store", named=text)
    from samovar.registry.pull import pull  # HTTP is slow to import and seldom needed here

    progress(f"Pulling {reference}")
    pulled = pull(store, reference, check=partial(check_content, store.blobs)).descriptor
    return stored_image(store, pulled, where="registry", named=text)


def _of_path(path: Path, workspace: Path) -> FoundImage:
    if not path.exists():
        raise NotFound(
            f"There is no file or folder {path}.",
            hint="Give image:NAME, image:HOST/NAME:TAG, image:./FILE.tar or image:./FOLDER.",
        )
    if path.is_file() and is_docker_archive(path):
        return read_docker_archive(path, where="archive")
    folder = path
    if path.is_file():
        folder = workspace / "layout"
        with path.open("rb") as content:
            extract_tar(content, folder)
    roots = read_layout_index(folder, path)
    if len(roots) != 1:
        raise UserError(
            f"{path} has {len(roots)} images.", hint="Copy the one that is meant to its own file."
        )
    # What is only looked at does not enter the user's store: blobs are read where they are.
    private = Store(workspace / "store")
    private.blobs = folder / "blobs" / "sha256"
    return stored_image(private, roots[0], where="archive", named=str(path))


def image_reference(address: str) -> str:
    """Take ``image:`` off a TARGET.

    Raises
    ------
    InvalidReference
        Where nothing follows.
    """
    text = address.removeprefix(SCHEME)
    if not text:
        raise InvalidReference(
            "'image:' names no image.", hint="Give image:NAME, image:HOST/NAME:TAG or image:./FILE."
        )
    return text
