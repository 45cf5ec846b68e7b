"""``samovar pull``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from samovar.bundle.checking import check_content
from samovar.cli import exit_codes
from samovar.cli.opening import open_store
from samovar.cli.sizes import human_size
from samovar.cli.transfer import plain_http_option, showing
from samovar.core.reference import Reference
from samovar.registry.options import Options

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("reference", metavar="REF")
@plain_http_option
@click.pass_obj
def command(screen: Screen, reference: str, plain_http: bool) -> int:
    """Pull REF from its registry into the store.

    Every byte is checked against its digest; a pull that fails leaves no name.
    """
    source = Reference.parse(reference)
    store = open_store()
    from samovar.registry.pull import pull  # the HTTP client is slow to import

    with showing(screen, f"Pulling {source}") as progress:
        done = pull(
            store,
            source,
            options=Options(plain_http=plain_http),
            progress=progress,
            check=partial(check_content, store.blobs),
        )
    document = {
        "name": str(source),
        "digest": str(done.descriptor.digest),
        "downloaded_bytes": done.downloaded_bytes,
        "skipped_bytes": done.skipped_bytes,
    }
    screen.result(
        document,
        f"Pulled {source} ({done.descriptor.digest}): {human_size(done.downloaded_bytes)} came, "
        f"{human_size(done.skipped_bytes)} were here.",
    )
    return exit_codes.DONE
