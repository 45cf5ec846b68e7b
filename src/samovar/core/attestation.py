"""Attestations as values: in-toto statements in DSSE envelopes.

References
----------
DSSE, protocol.md ("Signature Definition") and envelope.md; in-toto attestation framework,
spec/v1/statement.md.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.errors import Damaged, InvalidReference

if TYPE_CHECKING:
    from collections.abc import Mapping

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
STATEMENT_TYPES: Final = frozenset({STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"})
MAX_ENVELOPE_BYTES: Final = 1024 * 1024
"""Larger ones are not read: a statement names digests, it does not carry what they are of."""
MAX_SIGNATURES: Final = 64
"""Each is tried with each key that is believed: thousands would keep the processor busy."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give the bytes that are signed: DSSE's pre-authentication encoding.

    Examples
    --------
    >>> pae("text/plain", b"hi")
    b'DSSEv1 10 text/plain 2 hi'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSignature:
    """One signature of an envelope.

    Parameters
    ----------
    key_id : str
        Which key is said to have made it; a hint that nobody may trust, and may be empty.
    signature : bytes
        Over the pre-authentication encoding.
    """

    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload and who signed it.

    Parameters
    ----------
    payload : bytes
        As it was signed; nothing of it is read before a signature holds.
    payload_type : str
        Media type of the payload.
    signatures : tuple of EnvelopeSignature
        At least one.
    """

    payload: bytes
    payload_type: str = PAYLOAD_TYPE
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What the signatures are over."""
        return pae(self.payload_type, self.payload)

    def to_json(self) -> dict[str, Any]:
        """Give the JSON envelope."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": one.key_id, "sig": base64.b64encode(one.signature).decode()}
                for one in self.signatures
            ],
        }

    def to_bytes(self) -> bytes:
        """Encode as canonical JSON."""
        return canonical_json(self.to_json())

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Read an envelope from outside; its signatures are not checked here.

        Raises
        ------
        Damaged
            Where it is none.
        """
        document = _object(data, "envelope")
        payload_type, signatures = document.get("payloadType"), document.get("signatures")
        if not isinstance(payload_type, str) or not isinstance(signatures, list) or not signatures:
            raise Damaged("The envelope has no payload type, or nobody signed it.")
        if len(signatures) > MAX_SIGNATURES:
            raise Damaged(f"The envelope has more than {MAX_SIGNATURES} signatures.")
        return cls(
            payload=_base64(document.get("payload")),
            payload_type=payload_type,
            signatures=tuple(_signature(one) for one in signatures),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said, of which digests.

    Parameters
    ----------
    subjects : mapping of Digest to str
        What it is about, with a name for each.
    predicate_type : str
        URI that says how the predicate is to be read.
    predicate : dict
        What is said.
    """

    subjects: Mapping[Digest, str]
    predicate_type: str
    predicate: dict[str, Any]

    def to_bytes(self) -> bytes:
        """Encode as canonical JSON."""
        return canonical_json(
            {
                "_type": STATEMENT_TYPE,
                "subject": [
                    {"name": name, "digest": {"sha256": digest.hex}}
                    for digest, name in self.subjects.items()
                ],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Statement:
        """Read a statement whose signature holds.

        Raises
        ------
        Damaged
            Where it is none.
        """
        document = _object(data, "statement")
        if document.get("_type") not in STATEMENT_TYPES:
            raise Damaged(f"The statement is of the type {document.get('_type')!r}.")
        subjects, kind = document.get("subject"), document.get("predicateType")
        predicate = document.get("predicate")
        if (
            not isinstance(subjects, list)
            or not isinstance(kind, str)
            or not isinstance(predicate, dict)
        ):
            raise Damaged("The statement has no subject, no predicate, or no type of it.")
        return cls(subjects=dict(map(_subject, subjects)), predicate_type=kind, predicate=predicate)


def _object(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > MAX_ENVELOPE_BYTES:
        raise Damaged(f"The {what} has {len(data)} bytes; the limit is {MAX_ENVELOPE_BYTES}.")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"The {what} is not JSON.") from error
    if not isinstance(document, dict):
        raise Damaged(f"The {what} is not a JSON object.")
    return document


def _signature(document: Any) -> EnvelopeSignature:
    if not isinstance(document, dict):
        raise Damaged("The envelope has a signature that is none.")
    key_id = document.get("keyid") or ""
    if not isinstance(key_id, str):
        raise Damaged("The envelope's keyid is not a string.")
    return EnvelopeSignature(key_id=key_id, signature=_base64(document.get("sig")))


def _base64(text: Any) -> bytes:
    """Read standard or URL-safe Base64: DSSE's readers take both."""
    if not isinstance(text, str):
        raise Damaged("The envelope lacks its payload or a signature.")
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError as error:
        raise Damaged("The envelope has a field that is not Base64.") from error


def _subject(document: Any) -> tuple[Digest, str]:
    try:
        return Digest.parse(f"sha256:{document['digest']['sha256']}"), str(document.get("name", ""))
    except (KeyError, TypeError, AttributeError, InvalidReference) as error:
        raise Damaged("The statement is about something that has no SHA-256 digest.") from error
