"""``samovar verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.resolve import resolve
from samovar.bundle.service import verify_service
from samovar.bundle.target import Remote, read_target
from samovar.bundle.verify import CANNOT_LOAD, Verification, verify_bundle
from samovar.cli import exit_codes
from samovar.cli.attested import verify_attested
from samovar.cli.policies import policy_option
from samovar.errors import UserError
from samovar.project.config import FILE
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen

_SHOWN_ROWS = 10


@click.command()
@click.argument("target", required=False)
@click.option("--against", metavar="BUNDLE", help="Compare with this bundle's receipt.")
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    help="Use this interpreter as it is, instead of a fresh environment from the lock.",
)
@click.option(
    "--isolation",
    type=click.Choice(["auto", "docker", "root"]),
    default="auto",
    show_default=True,
    help="Where an image runs: in the Docker engine, or in a private root without one.",
)
@click.option("--attested", is_flag=True, help="Replay nothing; check the attestations.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="PUBLIC",
    type=click.Path(path_type=Path),
    help="With --attested: believe this public key instead of the policy's.",
)
@policy_option
@click.pass_obj
def command(
    screen: Screen,
    target: str | None,
    against: str | None,
    python: Path | None,
    isolation: str,
    attested: bool,
    keys: tuple[Path, ...],
    policy: Path | None,
) -> int:
    """Replay the receipt and say whether the predictions are the same.

    TARGET is a bundle (NAME, digest, folder, .tar, registry reference), http://..., ssh://... or
    image:REF, REF being an image in the Docker engine, the store, a registry, or ./FILE.tar.
    """
    if attested:
        if against is not None or python is not None:
            raise UserError("--attested replays nothing.", hint="Leave --against and --python out.")
        return verify_attested(screen, target, keys, policy)
    if keys or policy is not None:
        raise UserError("Keys and policies are for attestations.", hint="Add --attested.")
    home = Home.locate()
    store = Store(home.store)
    found = read_target(target, store)
    with screen.progress("Opening the bundle") as progress:
        if isinstance(found, Remote):
            if found.scheme == "ssh":
                result = _verify_host(home, store, found.address, against, progress)
            elif found.scheme == "image":
                if python is not None:
                    raise UserError("An image has its own Python.", hint="Leave --python out.")
                result = _verify_image(home, store, found.address, against, isolation, progress)
            else:
                bundle = _reference_bundle(home, store, against, progress)
                result = verify_service(found.address, bundle.document, bundle.receipt)
        else:
            _, bundle = resolve(home, store, found, progress)
            receipt = None
            if against is not None:
                receipt = resolve(home, store, read_target(against, store), progress)[1].receipt
            result = verify_bundle(
                home, store, bundle, python=python, against=receipt, progress=progress
            )
    screen.result(result.to_json(), lambda console: _people(console, result))
    return _exit_code(result.verdict)


def _verify_host(
    home: Home, store: Store, address: str, against: str | None, progress: Callable[[str], None]
) -> Verification:
    """Replay the receipt on the service that was deployed to a host."""
    from samovar.deploy.remote import services_on, tunnel

    services = services_on(address)
    wanted = against
    if wanted is None:
        if len(services) > 1:
            names = ", ".join(service.name for service in services)
            raise UserError(
                f"{address} has several services: {names}.", hint="Name one's bundle by --against."
            )
        wanted = str(services[0].digest)
    bundle = resolve(home, store, read_target(wanted, store), progress)[1]
    matching = [service for service in services if service.digest == bundle.digest] or services
    with tunnel(address, matching[0].port) as url:
        return verify_service(url, bundle.document, bundle.receipt)


def _verify_image(
    home: Home,
    store: Store,
    address: str,
    against: str | None,
    isolation: str,
    progress: Callable[[str], None],
) -> Verification:
    """Replay the receipt inside an image."""
    from samovar.image.find_image import image_reference
    from samovar.image.verify import verify_image

    bundle = None
    if against is not None:
        bundle = resolve(home, store, read_target(against, store), progress)[1]
    return verify_image(
        home,
        store,
        image_reference(address),
        against=bundle,
        isolation=isolation,
        progress=progress,
    )


def _reference_bundle(
    home: Home, store: Store, against: str | None, progress: Callable[[str], None]
) -> Bundle:
    """Find whose receipt a service is to be asked: the one named, or the project's here."""
    if against is not None:
        return resolve(home, store, read_target(against, store), progress)[1]
    if (Path.cwd() / FILE).is_file():
        return resolve(home, store, read_target(None, store), progress)[1]
    names = list(store.names())
    if len(names) == 1:
        return resolve(home, store, read_target(names[0], store), progress)[1]
    raise UserError(
        "A service does not say whose receipt it is to be compared with.",
        hint="Name the bundle by --against NAME.",
        code="no_bundle",
    )


def _exit_code(verdict: str) -> int:
    if verdict == CANNOT_LOAD:
        return exit_codes.ENVIRONMENT
    return exit_codes.ANSWER_IS_NO if verdict == "DIFFERENT" else exit_codes.DONE


def _people(console: Console, result: Verification) -> None:
    if result.comparison is None:
        what = "environment" if result.image is None else "image"
        console.print(f"CANNOT LOAD: the {what} does not answer the lock.")
        for mismatch in result.mismatches:
            console.print(f"  {mismatch}")
        more = " Without --python, verify makes the right environment."
        console.print(f"Nothing was loaded.{more if result.image is None else ''}")
        return
    compared = result.comparison
    console.print(f"{result.verdict}: {result.rows} rows, {result.elapsed_s:.1f} s")
    if compared.max_relative_difference:
        console.print(f"  largest relative difference {compared.max_relative_difference:.3g}")
    if compared.labels_changed:
        console.print(f"  labels changed: {compared.labels_changed}")
    for item in compared.differences[:_SHOWN_ROWS]:
        console.print(f"  row {item.row}: recorded {item.recorded}, observed {item.observed}")
    if len(compared.differences) > _SHOWN_ROWS:
        console.print(f"  and {len(compared.differences) - _SHOWN_ROWS} more rows (--json has all)")
