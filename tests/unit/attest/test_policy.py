"""Which attestations count: signatures, digests, times, verdicts and machines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from attesting import NOW, KeyPair, make_keys, put_envelope, put_verdict, verdict_of
from registry_content import put_bundle, put_index
from samovar.attest.attach import sign
from samovar.attest.enforce import require
from samovar.attest.policy import Policy, find_policy
from samovar.attest.statements import PROVENANCE
from samovar.core.attestation import EnvelopeSignature, Statement
from samovar.errors import InvalidProject, NotFound, Refused, UserError
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.descriptor import Descriptor


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def bundle(store: Store) -> Descriptor:
    return put_bundle(store)


@pytest.fixture(params=["ed25519", "P-256"])
def ada(tmp_path: Path, request: pytest.FixtureRequest) -> KeyPair:
    return make_keys(tmp_path, "ada", kind=request.param)


@pytest.fixture
def eve(tmp_path: Path) -> KeyPair:
    return make_keys(tmp_path, "eve")


@pytest.fixture
def policy(ada: KeyPair) -> Policy:
    return Policy(keys=(ada.key.public,), source="the test")


def refusal(store: Store, policy: Policy, bundle: Descriptor, **options) -> Refused:
    with pytest.raises(Refused) as caught:
        require(store, policy, bundle, root=options.get("root"), now=NOW)
    return caught.value


def test_a_signed_verdict_is_enough(store, policy, bundle, ada) -> None:
    put_verdict(store, bundle, ada.key)
    vouched = require(store, policy, bundle, root=bundle, now=NOW)
    assert [one.verdict.verdict for one in vouched.verdicts] == ["IDENTICAL"]
    assert vouched.bundle.flaws == ()


def test_no_attestation_is_refused(store, policy, bundle) -> None:
    refused = refusal(store, policy, bundle)
    assert refused.code == "attestation_missing"
    assert str(bundle.digest) in refused.message


def test_another_key_is_named(store, policy, bundle, eve) -> None:
    proof = put_verdict(store, bundle, eve.key)
    refused = refusal(store, policy, bundle)
    assert refused.code == "attestation_wrong_key"
    assert eve.key.public.fingerprint in str(refused)
    assert str(proof.digest) in str(refused)


def test_a_changed_payload_is_forged(store, policy, bundle, ada) -> None:
    honest = sign(verdict_of(bundle.digest, "DIFFERENT"), ada.key)
    changed = honest.payload.replace(b"DIFFERENT", b"IDENTICAL")
    proof = put_envelope(store, bundle, replace(honest, payload=changed))
    refused = refusal(store, policy, bundle)
    assert refused.code == "attestation_forged"
    assert str(proof.digest) in str(refused)


def test_a_changed_payload_type_is_forged(store, policy, bundle, ada) -> None:
    honest = sign(verdict_of(bundle.digest), ada.key)
    put_envelope(store, bundle, replace(honest, payload_type="text/plain"))
    assert refusal(store, policy, bundle).code == "attestation_forged"


def test_the_name_of_a_believed_key_over_another_signature_is_forged(
    store, policy, bundle, ada, eve
) -> None:
    envelope = sign(verdict_of(bundle.digest), eve.key)
    stolen = EnvelopeSignature(
        key_id=ada.key.public.fingerprint, signature=envelope.signatures[0].signature
    )
    put_envelope(store, bundle, replace(envelope, signatures=(stolen,)))
    assert refusal(store, policy, bundle).code == "attestation_forged"


def test_a_second_signature_of_somebody_else_does_no_harm(store, policy, bundle, ada, eve) -> None:
    statement = verdict_of(bundle.digest)
    both = sign(statement, eve.key).signatures + sign(statement, ada.key).signatures
    put_envelope(store, bundle, replace(sign(statement, eve.key), signatures=both))
    assert require(store, policy, bundle, root=None, now=NOW).verdicts


def test_an_attestation_of_another_digest_is_named(store, policy, bundle, ada) -> None:
    older = put_bundle(store, model=b"older")
    put_envelope(store, bundle, sign(verdict_of(older.digest), ada.key))
    refused = refusal(store, policy, bundle)
    assert refused.code == "attestation_other_digest"
    assert str(older.digest) in str(refused)


@pytest.mark.parametrize(
    "options",
    [
        {"age": timedelta(days=31)},
        {"age": timedelta(days=-1)},
        {"expires": "2026-04-30T00:00:00Z"},
    ],
    ids=["old", "to come", "expired"],
)
def test_an_attestation_out_of_time_is_refused(store, policy, bundle, ada, options) -> None:
    put_verdict(store, bundle, ada.key, **options)
    refused = refusal(store, replace(policy, max_age=timedelta(days=30)), bundle)
    assert refused.code == "attestation_expired"


def test_one_that_holds_counts_among_others_that_do_not(store, policy, bundle, ada, eve) -> None:
    put_verdict(store, bundle, eve.key)
    put_envelope(store, bundle, b"not an envelope")
    put_envelope(store, bundle, sign(verdict_of(bundle.digest, machine="a\x1b[31mb"), ada.key))
    put_verdict(store, bundle, ada.key)
    vouched = require(store, policy, bundle, root=None, now=NOW)
    assert len(vouched.verdicts) == 1
    assert {flaw.code for flaw in vouched.bundle.flaws} == {"wrong_key", "malformed"}
    assert "\x1b" not in "".join(flaw.what for flaw in vouched.bundle.flaws)


def test_a_strangers_key_name_reaches_no_terminal(store, policy, bundle, eve) -> None:
    envelope = sign(verdict_of(bundle.digest), eve.key)
    loud = EnvelopeSignature(key_id="\x1b[2J" * 99, signature=b"x")
    put_envelope(store, bundle, replace(envelope, signatures=(loud,)))
    assert "\x1b" not in str(refusal(store, policy, bundle))


def test_a_verdict_that_the_policy_does_not_take_is_refused(store, policy, bundle, ada) -> None:
    put_verdict(store, bundle, ada.key, "EQUIVALENT")
    assert require(store, policy, bundle, root=None, now=NOW).verdicts
    strict = replace(policy, verdicts=("IDENTICAL",))
    refused = refusal(store, strict, bundle)
    assert refused.code == "attestation_verdict"
    assert "EQUIVALENT on server-1" in str(refused)


def test_a_later_verdict_takes_an_earlier_one_back(store, policy, bundle, ada) -> None:
    put_verdict(store, bundle, ada.key, age=timedelta(days=2))
    put_verdict(store, bundle, ada.key, "DIFFERENT", age=timedelta(days=1))
    assert refusal(store, policy, bundle).code == "attestation_verdict"
    put_verdict(store, bundle, ada.key)
    assert require(store, policy, bundle, root=None, now=NOW).verdicts


def test_each_machine_of_the_policy_must_vouch(store, policy, bundle, ada) -> None:
    asked = replace(policy, machines=("linux/amd64", "linux/arm64", "edge-*"))
    put_verdict(store, bundle, ada.key)
    refused = refusal(store, asked, bundle)
    assert refused.code == "attestation_machine"
    assert "linux/arm64 and none called edge-*" in refused.message
    put_verdict(store, bundle, ada.key, machine="edge-7", platform="linux/arm64")
    assert len(require(store, asked, bundle, root=None, now=NOW).verdicts) == 2


def test_the_index_of_images_needs_a_provenance_of_its_own(store, policy, bundle, ada) -> None:
    root = put_index(store, bundle)
    put_verdict(store, bundle, ada.key)
    assert refusal(store, policy, bundle, root=root).code == "attestation_missing"
    statement = Statement(subjects={root.digest: ""}, predicate_type=PROVENANCE, predicate={})
    put_envelope(store, root, sign(statement, ada.key))
    assert require(store, policy, bundle, root=root, now=NOW).index is not None


def test_a_project_has_its_policy_and_the_operator_another(
    tmp_path: Path, ada: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "samovar.toml").write_text(
        '[project]\nname = "titanic"\npython = "3.11"\n[policy]\nkeys = ["eve.pub"]\n'
    )
    make_keys(project, "eve")
    (tmp_path / "policy.toml").write_text(
        '[policy]\nkeys = "ada.pub"\nverdicts = ["IDENTICAL"]\nmax_age = "2w"\nmachines = ["a"]\n'
    )
    of_project = find_policy(None, project)
    assert of_project.keys[0].name == str(project / "eve.pub")
    assert of_project.verdicts == ("IDENTICAL", "EQUIVALENT")
    named = find_policy(tmp_path / "policy.toml", project)
    assert named.keys[0].fingerprint == ada.key.public.fingerprint
    assert (named.verdicts, named.max_age, named.machines) == (
        ("IDENTICAL",),
        timedelta(weeks=2),
        ("a",),
    )
    monkeypatch.setenv("SAMOVAR_POLICY", str(tmp_path / "policy.toml"))
    assert find_policy(None, project) == named
    monkeypatch.delenv("SAMOVAR_POLICY")
    assert find_policy(None, tmp_path) is None
    assert find_policy(None, None) is None


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", UserError, "no section"),
        ("[policy]\n", UserError, "lacks keys"),
        ("[policy]\nkeys = []\n", InvalidProject, "nobody"),
        ('[policy]\nkeys = ["../ada.pub"]\n', InvalidProject, "stay within"),
        ('[policy]\nkeys = ["none.pub"]\n', NotFound, "none.pub"),
        ('[policy]\nkeys = ["ada.pub"]\nverdicts = []\n', InvalidProject, "empty"),
        ('[policy]\nkeys = ["ada.pub"]\nverdicts = ["GOOD"]\n', InvalidProject, "GOOD"),
        ('[policy]\nkeys = ["ada.pub"]\nmax_age = "soon"\n', InvalidProject, "soon"),
        ('[policy]\nkeys = ["ada.pub"]\nmachine = "a"\n', InvalidProject, "machine"),
        ('[policy]\nkeys = ["ada.key"]\n', UserError, "public key"),
        ("\x00", InvalidProject, "TOML"),
    ],
)
def test_a_policy_that_would_not_hold_is_refused(
    tmp_path: Path, ada: KeyPair, text: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(error, match=words):
        find_policy(tmp_path / "policy.toml", None)


def test_a_policy_that_is_no_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        find_policy(tmp_path / "none.toml", None)
    with pytest.raises(UserError):
        find_policy(tmp_path, None)


def test_keys_of_other_kinds_and_passwords_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="P-256"):
        _ = make_keys(tmp_path, "long", kind="P-384").key
    locked = make_keys(tmp_path, "locked", password="open sesame")
    with pytest.raises(UserError, match="encrypted"):
        _ = locked.key
    monkeypatch.setenv("SAMOVAR_KEY_PASSWORD", "wrong")
    with pytest.raises(UserError, match="password may be wrong"):
        _ = locked.key
    monkeypatch.setenv("SAMOVAR_KEY_PASSWORD", "open sesame")
    assert locked.key.public.fingerprint.startswith("SHA256:")
