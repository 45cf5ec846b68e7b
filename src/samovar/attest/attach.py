"""Sign statements and store them as referrers of what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.attestation import PAYLOAD_TYPE, Envelope, EnvelopeSignature, pae
from samovar.store.atomic import sync_folder
from samovar.store.referrer import attach

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samovar.attest.keys import PrivateKey
    from samovar.core.attestation import Statement
    from samovar.core.descriptor import Descriptor
    from samovar.store.layout import Store

PREDICATE_ANNOTATION: Final = "in-toto.io/predicate-type"
COSIGN_ANNOTATIONS: Final = {"dev.cosignproject.cosign/signature": ""}
"""cosign passes over layers without it; the signature of an attestation is in its envelope."""


def sign(statement: Statement, key: PrivateKey) -> Envelope:
    """Put a statement into an envelope that a key has signed."""
    return sign_payload(statement.to_bytes(), key)


def sign_payload(payload: bytes, key: PrivateKey) -> Envelope:
    """Put the bytes of a statement into an envelope that a key has signed."""
    signature = EnvelopeSignature(
        key_id=key.public.fingerprint, signature=key.sign(pae(PAYLOAD_TYPE, payload))
    )
    return Envelope(payload=payload, signatures=(signature,))


def attach_statement(
    store: Store, statement: Statement, key: PrivateKey, subjects: Iterable[Descriptor]
) -> list[Descriptor]:
    """Sign a statement and attach it to each of its subjects; give the manifests' descriptors."""
    data = sign(statement, key).to_bytes()
    kind = statement.predicate_type
    with store.writing():
        attached = [
            attach(
                store,
                subject,
                data,
                media_types.IN_TOTO_ENVELOPE,
                {PREDICATE_ANNOTATION: kind},
                layer_annotations={**COSIGN_ANNOTATIONS, "predicateType": kind},
            )
            for subject in subjects
        ]
        sync_folder(store.blobs)
    return attached
