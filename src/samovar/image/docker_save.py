"""Read the archive that ``docker save`` writes: that of old engines, and that with an OCI layout.

References
----------
Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import json
import tarfile
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, cast

from samovar.core.digest import Digest
from samovar.errors import Damaged, InvalidReference, UserError
from samovar.image.found_image import FoundImage, FoundLayer
from samovar.store.unpack_inflate import inflated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MANIFEST: Final = "manifest.json"
_MOST_BYTES: Final = 4 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


def is_docker_archive(path: Path) -> bool:
    """Say whether a tar file is one that Docker, or ``build --archive docker``, wrote."""
    try:
        with tarfile.open(path, "r:") as archive:
            return _MANIFEST in archive.getnames()
    except (tarfile.TarError, OSError, EOFError):
        return False


def read_docker_archive(path: Path, *, where: str) -> FoundImage:
    """Find the one image in an archive; its layers are read where they are asked for.

    Parameters
    ----------
    path : Path
        The tar file; it has to stay until the layers were read.
    where : str
        What messages say that the image is from.

    Raises
    ------
    Damaged
        Where it is not what it should be.
    UserError
        Where it has several images.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            listed = json.loads(_small(archive, _MANIFEST))
            if len(listed) != 1:
                raise UserError(
                    f"{path.name} has {len(listed)} images.",
                    hint="Save the one that is meant: docker save -o FILE.tar NAME.",
                )
            data = _small(archive, str(listed[0]["Config"]))
            names = [str(name) for name in listed[0]["Layers"]]
        config = json.loads(data)
        diff_ids = [Digest.parse(text) for text in config["rootfs"]["diff_ids"]]
        layers = [
            FoundLayer(diff_id=diff_id, opened=partial(_layer, path, name))
            for diff_id, name in zip(diff_ids, names, strict=True)
        ]
    except (
        tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError,
        InvalidReference,
    ) as error:  # fmt: skip
        raise Damaged(
            f"{path.name} is not a whole docker archive.",
            why=str(error),
            hint="Save the image again.",
            code="damaged_archive",
        ) from error
    return FoundImage(where=where, config=config, config_data=data, layers=tuple(layers))


def _small(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.getmember(name)
    content = archive.extractfile(member)
    if content is None or member.size > _MOST_BYTES:
        raise ValueError(f"{name} is no small file")
    return content.read()


@contextmanager
def _layer(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a layer's tar file; engines of old write the same layer once, and links to it."""
    with tarfile.open(path, "r:") as archive:
        content: Any = archive.extractfile(name)
        if content is None:
            raise Damaged(f"{path.name} has no layer {name}.", code="damaged_archive")
        magic = content.read(4)
        content.seek(0)
        if magic == _ZSTD:
            raise UserError(
                f"A layer in {path.name} is compressed by zstd, which samovar does not read.",
                hint="Save the image with gzip layers.",
                code="unknown_layer",
            )
        is_gzip = magic.startswith(_GZIP)
        yield cast("IO[bytes]", inflated(content)) if is_gzip else content
