"""Ask of a bundle what a policy wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from samovar.attest.judge import FORGED, Attestation, Flaw, Judged, judge_all
from samovar.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from samovar.attest.policy import Policy
    from samovar.attest.statements import Verdict
    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What the attestations of a bundle, and of the index that lists it, say."""

    bundle: Judged
    verdicts: tuple[Attestation, ...]
    index: Judged | None = field(default=None)


def require(
    store: Store,
    policy: Policy,
    bundle: Descriptor,
    *,
    root: Descriptor | None,
    now: datetime,
) -> Vouched:
    """Check that a bundle, and the index that lists it, have what a policy asks for.

    Parameters
    ----------
    bundle : Descriptor
        Whose model would run.
    root : Descriptor, optional
        The index of images that would be deployed; it must have a provenance of its own.
    now : datetime
        In UTC.

    Raises
    ------
    Refused
        Saying what is missing, and what is wrong with each attestation that does not count.
    """
    judged = judge_all(store, bundle, policy.keys, now=now, max_age=policy.max_age)
    latest = _latest(judged.holding)
    if not latest:
        raise _none_holds(bundle.digest, "verdict", judged.flaws, policy)
    accepted = tuple(one for one, verdict in latest if verdict.verdict in policy.verdicts)
    if not accepted:
        said = ", ".join(
            f"{verdict.verdict} on {verdict.machine} ({verdict.platform})" for _, verdict in latest
        )
        raise Refused(
            f"The verdict on {bundle.digest} is not one that the policy takes.",
            why=f"Attested: {said}. {policy.source} takes {' or '.join(policy.verdicts)}.",
            hint="See 'samovar verify' for the rows that differ.",
            code="attestation_verdict",
        )
    _require_machines(policy, accepted, judged.flaws, bundle.digest)
    index = None
    if root is not None and root.digest != bundle.digest:
        index = judge_all(store, root, policy.keys, now=now, max_age=policy.max_age)
        if not any(one.is_provenance for one in index.holding):
            raise _none_holds(root.digest, "provenance", index.flaws, policy)
    return Vouched(bundle=judged, verdicts=accepted, index=index)


def _latest(holding: Sequence[Attestation]) -> list[tuple[Attestation, Verdict]]:
    """Give each signer's last word on each machine: a later verdict takes an earlier one back."""
    found: dict[tuple[str, str], tuple[Attestation, Verdict]] = {}
    for one in holding:
        if one.verdict is not None:
            place = (one.key.fingerprint, one.verdict.machine)
            if place not in found or found[place][1].created <= one.verdict.created:
                found[place] = (one, one.verdict)
    return list(found.values())


def _require_machines(
    policy: Policy, accepted: Sequence[Attestation], flaws: Sequence[Flaw], digest: Digest
) -> None:
    places = [
        (one.verdict.machine, one.verdict.platform) for one in accepted if one.verdict is not None
    ]
    missing = [
        wanted
        for wanted in policy.machines
        if not any(fnmatchcase(name, wanted) for place in places for name in place)
    ]
    if missing:
        had = ", ".join(f"{machine} ({platform})" for machine, platform in places)
        raise Refused(
            f"No machine called {' and none called '.join(missing)} vouches for {digest}.",
            why="\n".join([f"{policy.source} asks for it; there are verdicts from {had}.",
                           *map(_line, flaws)]),
            hint="Run 'samovar attest' there, push, and pull the attestation here.",
            code="attestation_machine",
        )  # fmt: skip


def _none_holds(digest: Digest, kind: str, flaws: Sequence[Flaw], policy: Policy) -> Refused:
    keys = ", ".join(f"{key.name} ({key.fingerprint})" for key in policy.keys)
    if not flaws:
        return Refused(
            f"Nobody who is believed vouches for {digest}.",
            why=f"It has no attested {kind}. Believed, by {policy.source}: {keys}.",
            hint="'samovar attest TARGET --key KEY' makes attestations; 'samovar pull' brings "
            "those that a registry has.",
            code="attestation_missing",
        )
    worst = min(flaws, key=lambda flaw: flaw.code != FORGED)
    return Refused(
        f"No attested {kind} of {digest} holds.",
        why="\n".join([*map(_line, flaws), f"Believed, by {policy.source}: {keys}."]),
        hint="'samovar attest TARGET --key KEY' with a key that is believed makes a new one.",
        code=f"attestation_{worst.code}",
    )


def _line(flaw: Flaw) -> str:
    return f"The attestation {flaw.digest}: {flaw.what}."
