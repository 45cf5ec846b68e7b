"""``samovar attest``."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.verify import CANNOT_LOAD, Verification, verify_bundle
from samovar.cli import exit_codes
from samovar.cli.policies import root_of
from samovar.cli.targets import open_target
from samovar.errors import EnvironmentMismatch, UserError
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.attest.keys import PrivateKey
    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen


def _age(_ctx: click.Context, _option: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    from samovar.project.policy import read_age

    age = read_age(value)
    if age is None:
        raise click.BadParameter(f"{value!r} is not an age, such as 12h, 90d or 8w.")
    return age


def _machine(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value and len(value) <= 255 and value.isprintable()):
        raise click.BadParameter("A machine's name has 1 to 255 printable characters.")
    return value


@click.command()
@click.argument("target", required=False)
@click.option(
    "--key",
    required=True,
    type=click.Path(path_type=Path),
    help="Private key in PEM: Ed25519, or ECDSA over P-256.",
)
@click.option(
    "--python", type=click.Path(path_type=Path), help="Replay in this interpreter as it is."
)
@click.option(
    "--machine", callback=_machine, help="What to call this machine; by default its host name."
)
@click.option("--expires", callback=_age, metavar="AGE", help="The verdict holds for so long: 90d.")
@click.option("--provenance-only", is_flag=True, help="Replay nothing; sign what it was made of.")
@click.option(
    "--model-signing",
    "signature",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also sign the bundle's files as OpenSSF Model Signing does, into FILE.",
)
@click.pass_obj
def command(
    screen: Screen,
    target: str | None,
    key: Path,
    python: Path | None,
    machine: str | None,
    expires: timedelta | None,
    provenance_only: bool,
    signature: Path | None,
) -> int:
    """Replay the receipt here and sign the verdict, and what the bundle was made of.

    The attestations are kept beside the bundle; 'samovar push' takes them along.
    """
    from samovar.attest.attest import attest  # cryptography is slow to import
    from samovar.attest.keys import read_private_key

    private = read_private_key(key)
    if signature is not None:
        _check_signature(private, signature)
    name, bundle = open_target(screen, target)
    home = Home.locate()
    store = Store(home.store)
    found = None if provenance_only else _replay(screen, bundle, python)
    attached = attest(
        store,
        bundle,
        root_of(store, name, bundle),
        private,
        found=found,
        machine=machine,
        created=datetime.now(timezone.utc),
        valid_for=expires,
    )
    if signature is not None:
        from samovar.attest.model_signing import write_signature

        write_signature(home, store, bundle, private, signature)
    verdict = None if found is None else found.verdict
    document = {
        "name": name,
        "digest": str(bundle.digest),
        "verdict": verdict,
        "key": private.public.fingerprint,
        "attestations": [one.to_json() for one in attached],
        "signature": None if signature is None else str(signature),
    }
    lines = [f"Attested {name} ({bundle.digest}) with {private.public.fingerprint}:"]
    lines += [f"  {verdict} here"] if verdict else []
    lines += [f"  {one.predicate_type} of {one.subject}" for one in attached]
    lines += [] if signature is None else [f"  its files, into {signature}"]
    screen.result(document, "\n".join(lines))
    return exit_codes.ANSWER_IS_NO if verdict == "DIFFERENT" else exit_codes.DONE


def _check_signature(key: PrivateKey, file: Path) -> None:
    """Refuse what could not be written, before the receipt is replayed."""
    from samovar.attest.model_signing import check_key

    check_key(key)
    if not file.absolute().parent.is_dir():
        raise UserError(
            f"There is no folder {file.absolute().parent}.", hint="Make it first.", code="not_found"
        )


def _replay(screen: Screen, bundle: Bundle, python: Path | None) -> Verification:
    """Replay the receipt; what could not be loaded says nothing about the bundle."""
    home = Home.locate()
    with screen.progress("Replaying the receipt") as progress:
        found = verify_bundle(home, Store(home.store), bundle, python=python, progress=progress)
    if found.verdict == CANNOT_LOAD:
        raise EnvironmentMismatch(
            "Nothing was attested: the environment does not answer the lock.",
            why="\n".join(map(str, found.mismatches)),
            hint="Without --python, attest makes the right environment.",
        )
    return found
