"""Lend an image to the Docker engine: it is there under a name of ours until the context ends."""

from __future__ import annotations

import shutil
import tarfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from samovar.core.canonical import canonical_json
from samovar.env.docker import docker
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.image.found_image import FoundImage

_NAME: Final = "samovar-verify"


@contextmanager
def lent(image: FoundImage, workspace: Path) -> Iterator[str]:
    """Load an image into the engine and give its name there.

    Parameters
    ----------
    image : FoundImage
        Whose layers can still be read.
    workspace : Path
        A folder for the archive.

    Raises
    ------
    Unavailable
        Where no engine answers, or it refuses the image.
    """
    name = f"{_NAME}:{image.digest.short}"
    folder = workspace / "lent"
    folder.mkdir()
    _write(image, name, folder)
    archive = workspace / "lent.tar"
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    shutil.rmtree(folder)
    docker(["image", "load", "--quiet", "--input", archive])
    archive.unlink()
    try:
        yield name
    finally:
        # What the engine had of it before, it keeps: only the name goes, and layers of no name.
        with suppress(Unavailable):
            docker(["image", "rm", name])


def _write(image: FoundImage, name: str, folder: Path) -> None:
    layers = []
    for number, layer in enumerate(image.layers):
        layers.append(f"{number}.tar")
        with layer.opened() as stream, (folder / layers[-1]).open("wb") as file:
            shutil.copyfileobj(stream, file)
    config = f"{image.digest.hex}.json"
    (folder / config).write_bytes(image.config_data)
    entry = {"Config": config, "RepoTags": [name], "Layers": layers}
    (folder / "manifest.json").write_bytes(canonical_json([entry]))
