"""DSSE envelopes and in-toto statements, as DSSE's own test vector and hostile documents have them."""

from __future__ import annotations

import base64
import json

import pytest

from samovar.core.attestation import (
    MAX_ENVELOPE_BYTES,
    MAX_SIGNATURES,
    PAYLOAD_TYPE,
    Envelope,
    EnvelopeSignature,
    Statement,
    pae,
)
from samovar.core.digest import Digest
from samovar.errors import Damaged

DIGEST = Digest.of(b"bundle")
SIGNED = Envelope(
    payload=b"{}", signatures=(EnvelopeSignature(key_id="SHA256:x", signature=b"\xfb\xff\xfe"),)
)


def test_what_is_signed_is_the_vector_of_the_specification() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert SIGNED.signed_bytes == pae(PAYLOAD_TYPE, b"{}")


def test_an_envelope_is_read_as_it_was_written() -> None:
    assert Envelope.from_bytes(SIGNED.to_bytes()) == SIGNED


def test_url_safe_base64_and_a_missing_keyid_are_read_too() -> None:
    document = SIGNED.to_json()
    document["signatures"] = [{"sig": base64.urlsafe_b64encode(b"\xfb\xff\xfe").decode()}]
    [signature] = Envelope.from_bytes(json.dumps(document).encode()).signatures
    assert signature == EnvelopeSignature(key_id="", signature=b"\xfb\xff\xfe")


@pytest.mark.parametrize(
    "change",
    [
        {"payload": None},
        {"payload": "not base64!"},
        {"payloadType": 1},
        {"signatures": []},
        {"signatures": {}},
        {"signatures": ["x"]},
        {"signatures": [{"keyid": 1, "sig": ""}]},
        {"signatures": [{"keyid": "x"}]},
        {"signatures": [{"sig": ""}] * (MAX_SIGNATURES + 1)},
    ],
)
def test_an_envelope_with_a_wrong_field_is_damaged(change: dict[str, object]) -> None:
    with pytest.raises(Damaged):
        Envelope.from_bytes(json.dumps({**SIGNED.to_json(), **change}).encode())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"\xff", b"[" * 100_000, b" " * (MAX_ENVELOPE_BYTES + 1)]
)
def test_what_is_no_json_object_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        Envelope.from_bytes(data)
    with pytest.raises(Damaged):
        Statement.from_bytes(data)


def test_a_statement_is_read_as_it_was_written() -> None:
    statement = Statement(
        subjects={DIGEST: "titanic"}, predicate_type="https://example.com/v1", predicate={"a": 1}
    )
    assert Statement.from_bytes(statement.to_bytes()) == statement


def statement(**change: object) -> bytes:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "subject": [{"digest": {"sha256": DIGEST.hex}}],
            "predicateType": "https://example.com/v1",
            "predicate": {},
            **change,
        }
    ).encode()


def test_the_older_statement_and_a_subject_without_a_name_are_read() -> None:
    assert Statement.from_bytes(statement()).subjects == {DIGEST: ""}


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://example.com/other"},
        {"subject": None},
        {"subject": ["x"]},
        {"subject": [{"digest": {"sha1": "0" * 40}}]},
        {"subject": [{"digest": {"sha256": "0"}}]},
        {"subject": [{"digest": None}]},
        {"predicateType": None},
        {"predicate": "words"},
    ],
)
def test_a_statement_with_a_wrong_field_is_damaged(change: dict[str, object]) -> None:
    with pytest.raises(Damaged):
        Statement.from_bytes(statement(**change))
