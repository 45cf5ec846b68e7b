"""Keys, and attestations that say what a test wants, right or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from samovar.attest.attach import sign
from samovar.attest.keys import PrivateKey, read_private_key
from samovar.attest.statements import TEST_RESULT, VERDICT
from samovar.core import media_types
from samovar.core.attestation import Statement
from samovar.store.referrer import attach

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.attestation import Envelope
    from samovar.core.descriptor import Descriptor
    from samovar.core.digest import Digest
    from samovar.store.layout import Store

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class KeyPair:
    """Two PEM files."""

    private: Path
    public: Path

    @property
    def key(self) -> PrivateKey:
        return read_private_key(self.private)


def make_keys(
    folder: Path, name: str = "ada", *, kind: str = "ed25519", password: str = ""
) -> KeyPair:
    """Write a pair of keys as openssl does."""
    key: Any
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key({"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}[kind]())
    protection = (
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption()
    )
    pair = KeyPair(private=folder / f"{name}.key", public=folder / f"{name}.pub")
    pair.private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    )
    pair.public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return pair


def verdict_of(
    digest: Digest,
    verdict: str = "IDENTICAL",
    *,
    machine: str = "server-1",
    platform: str = "linux/amd64",
    age: timedelta = timedelta(0),
    **more: Any,
) -> Statement:
    """Give a statement as ``attest`` makes it."""
    return Statement(
        subjects={digest: "titanic"},
        predicate_type=TEST_RESULT,
        predicate={
            VERDICT: {
                "verdict": verdict,
                "created": (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "machine": {"name": machine, "platform": platform},
                **more,
            }
        },
    )


def put_envelope(store: Store, subject: Descriptor, envelope: Envelope | bytes) -> Descriptor:
    """Attach an envelope, whatever it says, to a digest."""
    data = envelope if isinstance(envelope, bytes) else envelope.to_bytes()
    return attach(store, subject, data, media_types.IN_TOTO_ENVELOPE, {})


def put_verdict(
    store: Store, subject: Descriptor, key: PrivateKey, *words: str, **options: Any
) -> Descriptor:
    """Attach a verdict that a key has signed."""
    return put_envelope(store, subject, sign(verdict_of(subject.digest, *words, **options), key))
