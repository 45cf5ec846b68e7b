"""Keys that sign and verify: Ed25519, and ECDSA over P-256 with SHA-256.

These two are what ``cosign`` signs and verifies without being told a hash, and what every key
service offers.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from samovar.errors import NotFound, UserError

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD_VARIABLE: Final = "SAMOVAR_KEY_PASSWORD"  # noqa: S105 - a variable's name
_MAX_BYTES: Final = 64 * 1024
_MAKE: Final = "Make one: openssl genpkey -algorithm ed25519 -out attest.key"
_PUBLIC: Final = "Its public half: openssl pkey -in attest.key -pubout -out attest.pub"

_Public: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey
_Private: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that is believed.

    Parameters
    ----------
    key : Ed25519PublicKey or EllipticCurvePublicKey
        Itself.
    name : str
        How messages call it.
    """

    key: _Public
    name: str

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it, which Go's DSSE library takes for a keyid too."""
        ssh = self.key.public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        digest = hashlib.sha256(base64.b64decode(ssh.split()[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether this key made a signature over a message."""
        try:
            if isinstance(self.key, Ed25519PublicKey):
                self.key.verify(signature, message)
            else:
                self.key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """A key that signs."""

    key: _Private
    name: str

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return PublicKey(key=self.key.public_key(), name=self.name)

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ECDSA(SHA256()))


def read_private_key(path: Path) -> PrivateKey:
    """Read a private key in PEM; an encrypted one with the password in ``SAMOVAR_KEY_PASSWORD``.

    Raises
    ------
    NotFound
        Where there is no such file.
    UserError
        Where it is no key, one of another kind, or its password is missing or wrong.
    """
    password = os.environ.get(PASSWORD_VARIABLE)
    data = _read(path)
    if b"PRIVATE KEY" not in data:
        raise _no_key(path, "a private key", f"{_MAKE}.")
    try:
        key = serialization.load_pem_private_key(data, password.encode() if password else None)
    except TypeError as error:
        raise UserError(
            f"{path} is encrypted, or {PASSWORD_VARIABLE} is set and it is not.",
            hint=f"Give the password in the variable {PASSWORD_VARIABLE}, and only where needed.",
            code="key_password",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        why = "The password may be wrong." if password else None
        raise _no_key(path, "a private key", f"{_MAKE}.", why=why) from error
    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    ):
        return PrivateKey(key=key, name=str(path))
    raise _other_kind(path)


def read_public_key(path: Path) -> PublicKey:
    """Read a public key in PEM.

    Raises
    ------
    NotFound
        Where there is no such file.
    UserError
        Where it is no public key, or one of another kind.
    """
    data = _read(path)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "a public key", f"{_PUBLIC}.") from error
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return PublicKey(key=key, name=str(path))
    raise _other_kind(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except FileNotFoundError as error:
        raise NotFound(f"There is no key {path}.", hint=f"{_MAKE}; {_PUBLIC}.") from error
    except IsADirectoryError as error:
        raise _no_key(path, "a key", f"{_MAKE}.") from error


def _no_key(path: Path, what: str, hint: str, *, why: str | None = None) -> UserError:
    return UserError(f"{path} is not {what} in PEM.", why=why, hint=hint, code="invalid_key")


def _other_kind(path: Path) -> UserError:
    return UserError(
        f"{path} is neither an Ed25519 key nor an ECDSA key over P-256.",
        hint=f"{_MAKE}.",
        code="invalid_key",
    )
