"""Find the attestations of a digest, and say which hold and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from samovar.attest.statements import PROVENANCE, Verdict
from samovar.core import media_types
from samovar.core.attestation import (
    MAX_ENVELOPE_BYTES,
    PAYLOAD_TYPE,
    Envelope,
    Statement,
)
from samovar.core.manifest import Manifest
from samovar.errors import Damaged
from samovar.store.reach import referrers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from samovar.attest.keys import PublicKey
    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.store.layout import Store

MALFORMED: Final = "malformed"
FORGED: Final = "forged"
WRONG_KEY: Final = "wrong_key"
OTHER_DIGEST: Final = "other_digest"
EXPIRED: Final = "expired"
_SKEW: Final = timedelta(minutes=5)
"""Clocks of two machines may differ by so much."""
_SHOWN: Final = 80
"""So much of a stranger's text gets into a message, and escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Why an attestation does not count.

    Parameters
    ----------
    digest : Digest
        Of its manifest in the store.
    code : str
        One of this module's constants, for programs.
    what : str
        The same for people.
    """

    digest: Digest
    code: str
    what: str

    def to_json(self) -> dict[str, str]:
        """Give the object that ``verify --attested`` prints."""
        return {"digest": str(self.digest), "code": self.code, "what": self.what}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A statement that a believed key has signed about the digest that was asked for.

    Parameters
    ----------
    digest : Digest
        Of its manifest in the store.
    statement : Statement
        What it says.
    key : PublicKey
        Whose signature holds.
    verdict : Verdict, optional
        In a test result of the receipt.
    """

    digest: Digest
    statement: Statement
    key: PublicKey
    verdict: Verdict | None

    @property
    def is_provenance(self) -> bool:
        """Whether it says what the digest was made of."""
        return self.statement.predicate_type == PROVENANCE

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``verify --attested`` prints."""
        verdict = self.verdict
        return {
            "digest": str(self.digest),
            "predicate": self.statement.predicate_type,
            "key": self.key.fingerprint,
            "verdict": None if verdict is None else verdict.verdict,
            "machine": None if verdict is None else verdict.machine,
            "platform": None if verdict is None else verdict.platform,
            "created": None if verdict is None else verdict.created.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The attestations of one digest."""

    holding: tuple[Attestation, ...]
    flaws: tuple[Flaw, ...]


def judge_all(
    store: Store,
    subject: Descriptor,
    keys: Sequence[PublicKey],
    *,
    now: datetime,
    max_age: timedelta | None,
) -> Judged:
    """Judge every envelope that refers to a digest.

    Parameters
    ----------
    subject : Descriptor
        What must be vouched for.
    keys : sequence of PublicKey
        Who is believed.
    now : datetime
        In UTC.
    max_age : timedelta, optional
        Older verdicts do not count.
    """
    holding: list[Attestation] = []
    flaws: list[Flaw] = []
    with store.writing():
        for digest, data in _envelopes(store, subject):
            found = _judge(digest, data, subject.digest, keys)
            if isinstance(found, Attestation) and found.verdict is not None:
                found = _in_time(found, found.verdict, now, max_age)
            if isinstance(found, Flaw):
                flaws.append(found)
            else:
                holding.append(found)
    return Judged(holding=tuple(holding), flaws=tuple(flaws))


def _envelopes(store: Store, subject: Descriptor) -> Iterator[tuple[Digest, bytes | Damaged]]:
    """Give the envelopes that are attached to a digest, or why one cannot be read."""
    for referrer in referrers(store, subject):
        manifest = store.read_document(referrer)
        if not isinstance(manifest, Manifest) or manifest.subject is None:
            continue
        if manifest.subject.digest != subject.digest:
            continue
        for layer in manifest.layers:
            if layer.media_type != media_types.IN_TOTO_ENVELOPE:
                continue
            if layer.size_bytes > MAX_ENVELOPE_BYTES:
                yield referrer.digest, Damaged("Its envelope is too large.")
                continue
            try:
                yield referrer.digest, store.read_blob(layer)
            except Damaged as error:
                yield referrer.digest, error


def _judge(
    digest: Digest, data: bytes | Damaged, subject: Digest, keys: Sequence[PublicKey]
) -> Attestation | Flaw:
    """Check the signature first: nothing of a payload is read before somebody vouches for it."""
    try:
        if isinstance(data, Damaged):
            raise data
        envelope = Envelope.from_bytes(data)
        key = _signer(envelope, keys)
        if key is None:
            return _unsigned(digest, envelope, keys)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise Damaged(f"Its payload is of the type {envelope.payload_type!r}.")
        statement = Statement.from_bytes(envelope.payload)
        if subject not in statement.subjects:
            others = ", ".join(map(str, statement.subjects)) or "nothing"
            return Flaw(digest=digest, code=OTHER_DIGEST, what=f"it is about {others}")
        return Attestation(
            digest=digest, statement=statement, key=key, verdict=Verdict.of(statement)
        )
    except Damaged as error:
        what = error.message.rstrip(".")
        return Flaw(digest=digest, code=MALFORMED, what=f"it cannot be read: {what}")


def _signer(envelope: Envelope, keys: Sequence[PublicKey]) -> PublicKey | None:
    message = envelope.signed_bytes
    for key in keys:
        if any(key.verifies(one.signature, message) for one in envelope.signatures):
            return key
    return None


def _unsigned(digest: Digest, envelope: Envelope, keys: Sequence[PublicKey]) -> Flaw:
    """Tell a forged envelope, which names a believed key, from one of somebody else's key."""
    believed = {key.fingerprint: key for key in keys}
    claimed = [one.key_id for one in envelope.signatures]
    for key_id in claimed:
        if key_id in believed:
            what = f"forged: {believed[key_id].name} ({key_id}) has not signed what it says"
            return Flaw(digest=digest, code=FORGED, what=what)
    signers = ", ".join(f"{key_id[:_SHOWN]!r}" if key_id else "nobody named" for key_id in claimed)
    return Flaw(digest=digest, code=WRONG_KEY, what=f"signed by {signers}, which is not believed")


def _in_time(
    found: Attestation, verdict: Verdict, now: datetime, max_age: timedelta | None
) -> Attestation | Flaw:
    if verdict.created > now + _SKEW:
        what = f"it is of {verdict.created.isoformat()}, which is yet to come"
    elif verdict.expires is not None and verdict.expires < now:
        what = f"it expired at {verdict.expires.isoformat()}"
    elif max_age is not None and verdict.created + max_age < now:
        what = f"it is of {verdict.created.isoformat()}, older than the policy allows"
    else:
        return found
    return Flaw(digest=found.digest, code=EXPIRED, what=what)
