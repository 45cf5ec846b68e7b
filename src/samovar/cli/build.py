"""``samovar build``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.resolve import resolve
from samovar.bundle.target import read_target
from samovar.cli import exit_codes
from samovar.cli.opening import familiar, new_name
from samovar.cli.sizes import human_size
from samovar.core.reference import Reference
from samovar.errors import UserError
from samovar.image.base_lock import DEBIAN
from samovar.image.build import Options, build_image
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.cli.render import Screen
    from samovar.image.made import Built


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
) -> int:
    """Build an image from a bundle, without a daemon; the same bundle gives the same digest."""
    started = time.monotonic()
    named = None if tag is None else new_name(tag)
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Opening the bundle") as progress:
        found, bundle = resolve(home, store, read_target(target, store), progress)
        name = named or (None if found.digest is not None else found)
        built = build_image(
            home,
            store,
            bundle,
            Options(base=base, platforms=platforms),
            names=() if name is None else (name,),
            progress=progress,
        )
        shown = name or Reference.parse(bundle.document.name)
        if output is not None:
            progress(f"Writing {output}")
            _write(store, built, shown, output, archive)
        if load:
            from samovar.image.engine import load_image

            progress("Loading it into the Docker engine")
            load_image(store, built.image, shown)
    reference = str(name) if name is not None else str(built.index.digest)
    document = built.to_json(familiar(reference), time.monotonic() - started)
    screen.result(document, lambda console: _people(console, document, loaded=load))
    return exit_codes.DONE


def _write(store: Store, built: Built, name: Reference, path: Path, kind: str) -> None:
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent}.", code="not_found")
    if kind == "oci":
        from samovar.bundle.archive import save

        save(store, name, built.index, path)
        return
    from samovar.image.docker_archive import write_docker_archive

    write_docker_archive(store, built.image, name, path)


def _people(console: Console, document: dict[str, Any], *, loaded: bool) -> None:
    again = "nothing had changed" if not document["built_layers"] else None
    made = again or f"{document['built_layers']} layers made"
    console.print(
        f"Built {document['ref']} for {', '.join(document['platforms'])}: "
        f"{human_size(document['size_bytes'])}, {made}, {document['elapsed_s']:.1f} s"
    )
    console.print(f"  {document['digest']}")
    for layer in document["layers"]:
        console.print(f"  {human_size(layer['size_bytes']):>9}  {layer['what']}")
    port = "-p 5000:5000"
    if loaded:
        console.print(f"Next: docker run --read-only {port} {document['ref']}")
    else:
        console.print(f"Next: samovar push {document['ref']} REGISTRY/NAME:TAG, or build --load")
