"""``samovar verify --attested``: check attestations instead of replaying the receipt."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from samovar.cli import exit_codes
from samovar.cli.policies import project_of, root_of
from samovar.cli.targets import open_target
from samovar.errors import UserError
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.attest.enforce import Vouched
    from samovar.attest.policy import Policy
    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen


def verify_attested(
    screen: Screen, target: str | None, keys: tuple[Path, ...], policy_file: Path | None
) -> int:
    """Say who vouches for a bundle, or refuse it, naming what is missing or wrong.

    Every byte of the bundle is checked against the digest that is vouched for.
    """
    from samovar.attest.enforce import require  # cryptography is slow to import

    store = Store(Home.locate().store)
    policy = _policy(store, target, keys, policy_file)
    name, bundle = open_target(screen, target)
    with store.writing():
        for blob in bundle.manifest.blobs:
            store.open_blob(blob).close()
    root = root_of(store, name, bundle)
    vouched = require(store, policy, bundle.descriptor, root=root, now=datetime.now(timezone.utc))
    document = describe(name, bundle, vouched)
    lines = [f"Attested: {name} ({bundle.digest})"]
    for one in vouched.verdicts:
        shown = one.to_json()
        lines.append(
            f"  {shown['verdict']} on {shown['machine']} ({shown['platform']}) at "
            f"{shown['created']}, by {one.key.name}"
        )
    lines += [f"  does not count: {flaw['what']}" for flaw in document["flaws"]]
    screen.result(document, "\n".join(lines))
    return exit_codes.DONE


def describe(name: str, bundle: Bundle, vouched: Vouched) -> dict[str, Any]:
    """Give the object that ``verify --attested --json`` prints."""
    judged = [vouched.bundle] + ([] if vouched.index is None else [vouched.index])
    return {
        "attested": True,
        "name": name,
        "digest": str(bundle.digest),
        "verdicts": [one.to_json() for one in vouched.verdicts],
        "attestations": [one.to_json() for part in judged for one in part.holding],
        "flaws": [flaw.to_json() for part in judged for flaw in part.flaws],
    }


def _policy(
    store: Store, target: str | None, keys: tuple[Path, ...], policy_file: Path | None
) -> Policy:
    """Give the policy to ask: the keys on the line believe nobody else."""
    from dataclasses import replace

    from samovar.attest.keys import read_public_key
    from samovar.attest.policy import Policy, find_policy

    found = find_policy(policy_file, project_of(store, target))
    if keys:
        believed = tuple(read_public_key(path) for path in keys)
        if found is not None:
            return replace(found, keys=believed)
        return Policy(keys=believed, source="--key")
    if found is None:
        raise UserError(
            "Nobody is believed: there is neither a key nor a policy.",
            hint="Give --key PUBLIC, --policy FILE, or write [policy] in samovar.toml.",
            code="no_policy",
        )
    return found
