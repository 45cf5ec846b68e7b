"""``samovar build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.cli.building import build
from samovar.image.base_lock import DEBIAN

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("target", required=False)
@click.option(
    "--base",
    default=DEBIAN,
    show_default=True,
    metavar="debian|REF|FILE.lock",
    help="What the image stands on: Debian's packages, or any image by its reference.",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help="linux/amd64, linux/arm64; several times for several. By default this machine's.",
)
@click.option("--tag", metavar="REF", help="What to call it; by default as the bundle is called.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write it to this tar file.",
)
@click.option(
    "--archive",
    type=click.Choice(["oci", "docker"]),
    default="oci",
    show_default=True,
    help="What kind of tar file -o writes.",
)
@click.option("--load", "load", is_flag=True, help="Also hand it to the Docker engine.")
@click.option(
    "--build-sdists",
    is_flag=True,
    help="Build packages that have no wheel from their source, in a sandbox without network.",
)
@click.option("--grpc", is_flag=True, help="Answer over gRPC too, on port 8001.")
@click.pass_obj
def command(
    screen: Screen,
    target: str | None,
    base: str,
    platforms: tuple[str, ...],
    tag: str | None,
    output: Path | None,
    archive: str,
    load: bool,
    build_sdists: bool,
    grpc: bool,
) -> int:
    """Build an image from a bundle, without a daemon; the same bundle gives the same digest."""
    return build(
        screen,
        target,
        base=base,
        platforms=platforms,
        tag=tag,
        output=output,
        archive=archive,
        load=load,
        build_sdists=build_sdists,
        grpc=grpc,
    )
