"""``samovar push``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samovar.cli import exit_codes
from samovar.cli.opening import find, open_store
from samovar.cli.sizes import human_size
from samovar.cli.transfer import parse_size, plain_http_option, showing
from samovar.core.reference import Reference
from samovar.registry.options import Options

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("destination", metavar="[AS]", required=False)
@plain_http_option
@click.option("--chunk-size", metavar="SIZE", help="Upload in pieces, for example 10MiB.")
@click.pass_obj
def command(
    screen: Screen,
    reference: str,
    destination: str | None,
    plain_http: bool,
    chunk_size: str | None,
) -> int:
    """Push what REF names to a registry, under the same name or AS.

    What the registry has already is not sent again. Credentials are those that 'docker login' kept.
    """
    options = Options(
        plain_http=plain_http, chunk_bytes=None if chunk_size is None else parse_size(chunk_size)
    )
    target = Reference.parse(destination or reference)
    store = open_store()
    _, descriptor = find(store, reference)
    from samovar.registry.push import push  # the HTTP client is slow to import

    with showing(screen, f"Pushing to {target}") as progress:
        done = push(store, descriptor, target, options=options, progress=progress)
    document = {
        "name": str(target),
        "digest": str(done.digest),
        "uploaded_bytes": done.uploaded_bytes,
        "skipped_bytes": done.skipped_bytes,
    }
    screen.result(
        document,
        f"Pushed {target} ({done.digest}): {human_size(done.uploaded_bytes)} sent, "
        f"{human_size(done.skipped_bytes)} were there.",
    )
    return exit_codes.DONE
