"""``samovar push``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samovar.cli.pushing import push_name
from samovar.cli.transfer import parse_size, plain_http_option
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
    chunk_bytes = None if chunk_size is None else parse_size(chunk_size)
    options = Options(plain_http=plain_http, chunk_bytes=chunk_bytes)
    return push_name(screen, reference, destination, options)
