"""What ``samovar build`` does, apart from reading its options."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from samovar.bundle.resolve import resolve
from samovar.bundle.target import read_target
from samovar.cli import exit_codes
from samovar.cli.opening import familiar, new_name
from samovar.cli.sizes import human_size
from samovar.core.reference import Reference
from samovar.errors import UserError
from samovar.image.base_lock import DEBIAN
from samovar.image.build import Options, build_image
from samovar.image.config import ports_of
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from samovar.cli.render import Screen
    from samovar.image.made import Built


def build(
    screen: Screen,
    target: str | None,
    *,
    base: str = DEBIAN,
    platforms: tuple[str, ...] = (),
    tag: str | None = None,
    output: Path | None = None,
    archive: str = "oci",
    load: bool = False,
    build_sdists: bool = False,
    grpc: bool = False,
) -> int:
    """Build, write and load as the command's options say, and print its answer."""
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
            Options(base=base, platforms=platforms, build_sdists=build_sdists, grpc=grpc),
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
    ports = ports_of(grpc=grpc)
    screen.result(document, lambda console: _people(console, document, ports, loaded=load))
    return exit_codes.DONE


def _write(store: Store, built: Built, name: Reference, path: Path, kind: str) -> None:
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent}.", code="not_found")
    if kind == "oci":
        from samovar.bundle.archive import save

        save(store, name, built.index, path, with_evidence=False)
        return
    from samovar.image.docker_archive import write_docker_archive

    write_docker_archive(store, built.image, name, path)


def _people(
    console: Console, document: dict[str, Any], ports: tuple[int, ...], *, loaded: bool
) -> None:
    again = "nothing had changed" if not document["built_layers"] else None
    made = again or f"{document['built_layers']} layers made"
    console.print(
        f"Built {document['ref']} for {', '.join(document['platforms'])}: "
        f"{human_size(document['size_bytes'])}, {made}, {document['elapsed_s']:.1f} s"
    )
    console.print(f"  {document['digest']}")
    for layer in document["layers"]:
        console.print(f"  {human_size(layer['size_bytes']):>9}  {layer['what']}")
    published = " ".join(f"-p {port}:{port}" for port in ports)
    if loaded:
        console.print(f"Next: docker run --read-only {published} {document['ref']}")
    else:
        console.print(f"Next: samovar push {document['ref']} REGISTRY/NAME:TAG, or build --load")
