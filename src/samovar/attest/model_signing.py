"""Sign a bundle's files in the OpenSSF Model Signing format, for its own verifier.

The signature is over the files below ``srv/`` in the bundle's layers, as they are in an image too.
It is a file of its own and no referrer: cosign 3 takes every Sigstore bundle that refers to a
digest for an attestation of that digest.

References
----------
OpenSSF Model Signing 1.0 (sigstore/model-transparency, docs/model_signing_format.md); Sigstore
bundle format 0.3.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from samovar.attest.attach import sign_payload
from samovar.bundle.opened import unpack_bundle
from samovar.core.attestation import STATEMENT_TYPE
from samovar.core.canonical import canonical_json
from samovar.errors import UserError
from samovar.store.atomic import write_file
from samovar.store.digests import digest_file

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.attest.keys import PrivateKey
    from samovar.bundle.opened import Bundle
    from samovar.core.digest import Digest
    from samovar.store.home import Home
    from samovar.store.layout import Store

_PREDICATE: Final = "https://model_signing/signature/v1.0"
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"


def check_key(key: PrivateKey) -> None:
    """Refuse a key that the format does not know.

    Raises
    ------
    UserError
        For an Ed25519 key.
    """
    if not isinstance(key.key, EllipticCurvePrivateKey):
        raise UserError(
            f"{key.name} is an Ed25519 key, and OpenSSF Model Signing takes elliptic curves only.",
            hint="openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out attest.key",
            code="invalid_key",
        )


def write_signature(home: Home, store: Store, bundle: Bundle, key: PrivateKey, file: Path) -> None:
    """Sign the files of a bundle and write the signature.

    Parameters
    ----------
    key : PrivateKey
        ECDSA over P-256.
    file : Path
        Written whole or not at all.
    """
    check_key(key)
    with home.workspace() as workspace:
        root = unpack_bundle(store, bundle, workspace / "bundle")
        files = {
            PurePosixPath(path.relative_to(root).as_posix()): digest_file(path)
            for path in root.rglob("*")
            if path.is_file()
        }
    payload = canonical_json(_statement(bundle.document.name, files))
    document = {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _hint(key)}, "tlogEntries": []},
        "dsseEnvelope": sign_payload(payload, key).to_json(),
    }
    write_file(file.absolute(), canonical_json(document))


def _statement(name: str, files: dict[PurePosixPath, Digest]) -> dict[str, Any]:
    """Give the statement: every file, and the digest of all digests in the order of paths."""
    ordered = sorted(files.items())
    root = hashlib.sha256(b"".join(bytes.fromhex(digest.hex) for _, digest in ordered))
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root.hexdigest()}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [
                {"name": str(path), "algorithm": "sha256", "digest": digest.hex}
                for path, digest in ordered
            ],
        },
    }


def _hint(key: PrivateKey) -> str:
    """Name the public key as the format does: by the digest of its PEM."""
    pem = key.public.key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(pem).hexdigest()
