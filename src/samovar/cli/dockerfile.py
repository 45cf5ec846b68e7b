"""``samovar dockerfile``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.opened import unpack_bundle
from samovar.cli import exit_codes
from samovar.cli.targets import open_target
from samovar.image.config import ports_of
from samovar.image.dockerfile import write_dockerfile
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("target", required=False)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    default="docker",
    show_default=True,
    metavar="DIR",
    help="Folder for the Dockerfile and all that it copies.",
)
@click.option("--grpc", is_flag=True, help="Answer over gRPC too, on port 8001.")
@click.pass_obj
def command(screen: Screen, target: str | None, folder: Path, grpc: bool) -> int:
    """Write a Dockerfile that makes an equivalent image, for those who must use docker build."""
    home = Home.locate()
    _, bundle = open_target(screen, target)
    with home.workspace() as workspace:
        unpacked = unpack_bundle(Store(home.store), bundle, workspace / "bundle")
        written = write_dockerfile(bundle, unpacked, folder, grpc=grpc)
    name = f"{bundle.document.name}:{bundle.document.version}"
    published = " ".join(f"-p {port}:{port}" for port in ports_of(grpc=grpc))
    commands = [
        f"docker build -t {name} {folder}",
        f"docker run --read-only --cap-drop ALL {published} {name}",
        f"docker tag {name} YOUR-NAME/{name}",
        f"docker push YOUR-NAME/{name}",
    ]
    text = "\n".join([f"Wrote {folder / 'Dockerfile'} and {len(written) - 1} files.", *commands])
    screen.result({"written": written, "folder": str(folder), "commands": commands}, text)
    return exit_codes.DONE
