"""Attest, carry along, and refuse: the commands over a real bundle, openssl and a registry."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from attesting import KeyPair, put_envelope, verdict_of
from cli import copy_example, samovar
from engines.processes import need
from registry_content import put_blob, put_index
from samovar.attest.attach import sign
from samovar.core import media_types
from samovar.core.attestation import pae
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.core.reference import Reference
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from engines.registry import Registry
    from engines.tools import Tool

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PROVENANCE = "https://slsa.dev/provenance/v1"


def openssl_keys(folder: Path, name: str, *kind: str) -> KeyPair:
    """Make keys with the lines that the documentation gives."""
    openssl = need("openssl", "apt install openssl")
    pair = KeyPair(private=folder / f"{name}.key", public=folder / f"{name}.pub")
    subprocess.run([openssl, "genpkey", *kind, "-out", pair.private], check=True)
    subprocess.run(
        [openssl, "pkey", "-in", pair.private, "-pubout", "-out", pair.public], check=True
    )
    return pair


@pytest.fixture(scope="module")
def ada(tmp_path_factory) -> KeyPair:
    return openssl_keys(tmp_path_factory.mktemp("ada"), "ada", "-algorithm", "ed25519")


@pytest.fixture(scope="module")
def eve(tmp_path_factory) -> KeyPair:
    kind = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    return openssl_keys(tmp_path_factory.mktemp("eve"), "eve", *kind)


@pytest.fixture(scope="module")
def attested(tmp_path_factory, ada) -> tuple[Path, Path, dict]:
    """The example, packed and attested in a home of its own: project, home, answer."""
    base = tmp_path_factory.mktemp("attested")
    project, home = copy_example(base / "web"), base / "home"
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=home)
    samovar("pack", cwd=project, SAMOVAR_HOME=home)
    said = samovar("attest", "--key", ada.private, "--json", cwd=project, SAMOVAR_HOME=home).json
    return project, home, said


@pytest.fixture
def home(attested, tmp_path) -> Path:
    """A copy of the home's store, to be changed."""
    shutil.copytree(attested[1] / "store", tmp_path / "home" / "store")
    return tmp_path / "home"


def test_the_verdict_and_the_provenance_are_signed(attested):
    said = attested[2]
    assert said["verdict"] == "IDENTICAL"
    assert [one["predicate"] for one in said["attestations"]] == [TEST_RESULT, PROVENANCE]
    assert {one["subject"] for one in said["attestations"]} == {said["digest"]}


def test_the_right_key_verifies_and_a_wrong_one_does_not(attested, ada, eve):
    _, home, said = attested
    verified = samovar(
        "verify", "titanic", "--attested", "--key", ada.public, "--json", SAMOVAR_HOME=home
    ).json
    assert verified["attested"] is True
    assert verified["digest"] == said["digest"]
    [verdict] = verified["verdicts"]
    assert (verdict["verdict"], verdict["key"]) == ("IDENTICAL", said["key"])
    refused = samovar(
        "verify", "titanic", "--attested", "--key", eve.public, "--json", SAMOVAR_HOME=home, code=1
    ).error
    assert refused["code"] == "attestation_wrong_key"
    assert said["key"] in refused["message"]


def test_an_altered_bundle_is_named(attested, home, ada):
    store = Store(home / "store")
    layer = store.read_document(store.resolve(Reference.parse("titanic"))).layers[0]
    path = store.blob_path(layer.digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = samovar(
        "verify", "titanic", "--attested", "--key", ada.public, "--json", SAMOVAR_HOME=home, code=3
    ).error
    assert found["code"] == "damaged"
    assert str(layer.digest) in found["message"]


def test_an_old_attestation_of_another_digest_is_named(attested, ada, tmp_path):
    """A bundle of other bytes, to which the honest attestation of the first was attached."""
    project, home = tmp_path / "web", attested[1]
    shutil.copytree(attested[0], project)
    (project / "server.py").write_text((project / "server.py").read_text() + "\n# changed\n")
    packed = samovar("pack", "--tag", "titanic:2", "--json", cwd=project, SAMOVAR_HOME=home).json
    assert packed["digest"] != attested[2]["digest"]
    store = Store(home / "store")
    bundle = store.resolve(Reference.parse("titanic:2"))
    first = Digest.parse(attested[2]["digest"])
    put_envelope(store, bundle, sign(verdict_of(first), ada.key))
    refused = samovar("verify", "titanic:2", "--attested", "--key", ada.public, "--json",
                      SAMOVAR_HOME=home, code=1).error  # fmt: skip
    assert refused["code"] == "attestation_other_digest"
    assert str(first) in refused["message"]


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("run", "--port", "0"), ("deploy",)])
def test_what_deploys_asks_the_policy(attested, home, ada, eve, tmp_path, command):
    folder = tmp_path / "operator"
    folder.mkdir()
    shutil.copy(eve.public, folder / "eve.pub")
    (folder / "policy.toml").write_text('[policy]\nkeys = ["eve.pub"]\n')
    words = ("deploy", "compose", "-o", tmp_path / "out") if command[0] == "deploy" else command
    for options, variables in (
        (("--policy", folder / "policy.toml"), {}),
        ((), {"SAMOVAR_POLICY": folder / "policy.toml"}),
    ):
        refused = samovar(
            *words, "titanic", *options, "--json", cwd=tmp_path, SAMOVAR_HOME=home, code=1, **variables
        ).error  # fmt: skip
        assert refused["code"] == "attestation_wrong_key"
        assert refused["hint"]
    assert not (tmp_path / "out").exists()


def test_a_project_keeps_its_digest_when_it_gets_a_policy(attested, ada, tmp_path):
    project, home = tmp_path / "web", attested[1]
    shutil.copytree(attested[0], project)
    shutil.copy(ada.public, project / "release.pub")
    with (project / "samovar.toml").open("a") as file:
        file.write('\n[policy]\nkeys = ["release.pub"]\nmachines = ["linux/*"]\n')
    answer = samovar("deploy", "compose", "-o", tmp_path / "out", "--json",
                     cwd=project, SAMOVAR_HOME=home).json  # fmt: skip
    assert answer["written"]
    verified = samovar("verify", "--attested", "--json", cwd=project, SAMOVAR_HOME=home).json
    assert verified["digest"] == attested[2]["digest"]


def test_an_index_of_images_is_vouched_for_beside_its_bundle(attested, home, ada):
    store = Store(home / "store")
    bundle = store.resolve(Reference.parse("titanic"))
    image = store.put_document(
        Manifest(config=put_blob(store, b"{}", media_types.OCI_CONFIG), layers=())
    )
    index = put_index(store, bundle, image)
    store.set_name(Reference.parse("titanic:image"), index)
    verify = ("verify", "titanic:image", "--attested", "--key", ada.public, "--json")
    refused = samovar(*verify, SAMOVAR_HOME=home, code=1).error
    assert refused["code"] == "attestation_missing"
    assert str(index.digest) in refused["message"]
    attest = ("attest", "titanic:image", "--provenance-only", "--key", ada.private, "--json")
    said = samovar(*attest, SAMOVAR_HOME=home).json
    subjects = {one["subject"] for one in said["attestations"]}
    assert subjects == {str(one.digest) for one in (bundle, index, image)}
    verified = samovar(*verify, SAMOVAR_HOME=home).json
    assert verified["digest"] == str(bundle.digest)
    samovar("gc", SAMOVAR_HOME=home)
    assert samovar(*verify, SAMOVAR_HOME=home).json == verified


def test_wrong_use_is_told(attested, ada, tmp_path):
    _, home, _ = attested
    for words, code in (
        (("verify", "titanic", "--attested"), "no_policy"),
        (("verify", "titanic", "--key", ada.public), "wrong_use"),
        (("verify", "titanic", "--attested", "--key", ada.private), "invalid_key"),
        (("verify", "titanic", "--attested", "--key", tmp_path / "none"), "not_found"),
        (("attest", "titanic", "--key", ada.public), "invalid_key"),
        (("attest", "titanic", "--key", ada.private, "--expires", "soon"), "wrong_use"),
    ):
        refused = samovar(*words, "--json", cwd=tmp_path, SAMOVAR_HOME=home, code=2).error
        assert refused["code"] == code, words


def test_a_saved_tar_takes_attestations_along(attested, ada, tmp_path):
    _, home, _ = attested
    samovar("save", "titanic", tmp_path / "t.tar", SAMOVAR_HOME=home)
    samovar("load", tmp_path / "t.tar", SAMOVAR_HOME=tmp_path / "new")
    for _ in range(2):
        verified = samovar("verify", "titanic", "--attested", "--key", ada.public, "--json",
                           SAMOVAR_HOME=tmp_path / "new").json  # fmt: skip
        assert verified["verdicts"]
        samovar("gc", SAMOVAR_HOME=tmp_path / "new")


def test_lost_names_come_back_from_a_saved_tar(attested, home, ada, tmp_path):
    samovar("save", "titanic", tmp_path / "t.tar", SAMOVAR_HOME=home)
    index = home / "store" / "index.json"
    index.write_bytes(b"\x00" * 100)
    alone = samovar("fsck", "--repair", "--json", SAMOVAR_HOME=home, code=1).json
    assert [problem["digest"] for problem in alone["problems"]] == ["index.json"]
    done = samovar(
        "fsck", "--repair", "--from", tmp_path / "t.tar", "--json", SAMOVAR_HOME=home
    ).json
    assert [one["digest"] for one in done["repaired"]] == ["titanic:latest"]
    assert index.with_name("index.json.damaged").read_bytes() == b"\x00" * 100
    samovar("verify", "titanic", "--attested", "--key", ada.public, SAMOVAR_HOME=home)


@pytest.mark.engine
def test_a_registry_takes_attestations_along(
    attested, home, ada, eve, registry: Registry, tmp_path
):
    name = f"{registry.host}/attested/titanic:1.0"
    samovar("push", "titanic", name, SAMOVAR_HOME=home)
    pulled = tmp_path / "pulled"
    samovar("pull", name, SAMOVAR_HOME=pulled)
    verify = ("verify", name, "--attested", "--key", ada.public, "--json")
    assert samovar(*verify, SAMOVAR_HOME=pulled).json["digest"] == attested[2]["digest"]
    # Another machine adds its own: both are there for whoever pulls next.
    samovar("attest", name, "--provenance-only", "--key", eve.private, SAMOVAR_HOME=pulled)
    samovar("push", name, SAMOVAR_HOME=pulled)
    samovar("pull", name, SAMOVAR_HOME=tmp_path / "third")
    seen = samovar(*verify, SAMOVAR_HOME=tmp_path / "third").json
    assert len(seen["attestations"]) == 2
    assert {flaw["code"] for flaw in seen["flaws"]} == {"wrong_key"}
    assert samovar("push", name, "--json", SAMOVAR_HOME=pulled).json["uploaded_bytes"] == 0

    layers = cosign_layers(registry, attested[2]["digest"])
    assert [openssl_verifies(ada, layer, tmp_path) for layer in layers] == [True, True, False]
    for layer in layers:
        statement = json.loads(base64.b64decode(layer["payload"]))
        assert set(statement) == {"_type", "subject", "predicateType", "predicate"}
        assert "sha256:" + statement["subject"][0]["digest"]["sha256"] == attested[2]["digest"]


def cosign_layers(registry: Registry, digest: str) -> list[dict]:
    """Read what cosign's ``verify-attestation`` reads: the tag, its layers, their annotations."""
    repository = f"{registry.url}/v2/attested/titanic"
    tag = f"sha256-{digest.partition(':')[2]}.att"
    manifest = httpx.get(
        f"{repository}/manifests/{tag}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    ).raise_for_status().json()  # fmt: skip
    config = (
        httpx.get(f"{repository}/blobs/{manifest['config']['digest']}").raise_for_status().json()
    )
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    envelopes = []
    for layer in manifest["layers"]:
        assert layer["mediaType"] == "application/vnd.dsse.envelope.v1+json"
        assert layer["annotations"]["dev.cosignproject.cosign/signature"] == ""
        assert layer["annotations"]["predicateType"] in {TEST_RESULT, PROVENANCE}
        envelope = httpx.get(f"{repository}/blobs/{layer['digest']}").raise_for_status().json()
        assert envelope["payloadType"] == "application/vnd.in-toto+json"
        envelopes.append(envelope)
    return envelopes


def openssl_verifies(keys: KeyPair, envelope: dict, folder: Path) -> bool:
    """Check an envelope's signature with a program that is not ours."""
    message, signature = folder / "message", folder / "signature"
    message.write_bytes(pae(envelope["payloadType"], base64.b64decode(envelope["payload"])))
    [one] = envelope["signatures"]
    assert one["keyid"].startswith("SHA256:")
    signature.write_bytes(base64.b64decode(one["sig"]))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(keys.public),
               "-in", str(message), "-sigfile", str(signature)]  # fmt: skip
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.engine
def test_the_verifier_of_model_signing_accepts_the_unpacked_files(
    attested, ada, eve, signing_tools: Tool, tmp_path
):
    _, home, _ = attested
    signature = tmp_path / "model.sig"
    attest = ("attest", "titanic", "--provenance-only", "--model-signing")
    refused = samovar(*attest, signature, "--key", ada.private, "--json", SAMOVAR_HOME=home, code=2)
    assert refused.error["code"] == "invalid_key"
    samovar(*attest, signature, "--key", eve.private, SAMOVAR_HOME=home)
    samovar("save", "titanic", tmp_path / "titanic.tar", SAMOVAR_HOME=home)
    unpacked = unpack(tmp_path / "titanic.tar", tmp_path / "layout", tmp_path / "files")

    def verify() -> str:
        command = [
            signing_tools.bin / "model_signing", "verify", "key", unpacked,
            "--signature", signature, "--public_key", eve.public,
        ]  # fmt: skip
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        return ended.stdout + ended.stderr

    assert "succeeded" in verify()
    (unpacked / "project" / "server.py").write_text("import os")
    said = verify()
    assert "Hash mismatch" in said
    assert "project/server.py" in said


def unpack(archive: Path, layout: Path, into: Path) -> Path:
    """Unpack a saved bundle as anybody can: the layers of its manifest, one after the other."""
    for folder in (layout, into):
        folder.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", layout], check=True)
    blobs = layout / "blobs" / "sha256"
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
    for layer in manifest["layers"]:
        subprocess.run(["tar", "-xzf", blobs / layer["digest"][7:], "-C", into], check=True)
    return into / "srv"


@pytest.mark.engine
def test_securesystemslib_reads_and_verifies_the_envelopes(
    attested, ada, eve, signing_tools: Tool, tmp_path
):
    store = Store(attested[1] / "store")
    digests = [Digest.parse(one["digest"]) for one in attested[2]["attestations"]]
    layers = [store.read_document(store.describe_blob(digest)).layers[0] for digest in digests]
    program = (
        "import json, sys\n"
        "from cryptography.hazmat.primitives.serialization import load_pem_public_key\n"
        "from google.protobuf.json_format import Parse\n"
        "from in_toto_attestation.v1.statement_pb2 import Statement\n"
        "from securesystemslib.dsse import Envelope\n"
        "from securesystemslib.signer import SSlibKey\n"
        "key = load_pem_public_key(open(sys.argv[1], 'rb').read())\n"
        "for path in sys.argv[2:]:\n"
        "    envelope = Envelope.from_dict(json.load(open(path)))\n"
        "    [keyid] = envelope.signatures\n"
        "    envelope.verify([SSlibKey.from_crypto(key, keyid)], 1)\n"
        "    print(Parse(envelope.payload, Statement()).predicate_type)\n"
    )
    for key, code in ((ada, 0), (eve, 1)):
        command = [signing_tools.python, "-c", program, key.public,
                   *(store.blob_path(layer.digest) for layer in layers)]  # fmt: skip
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        assert ended.returncode == code, ended.stderr
        assert ended.stdout.split() == ([TEST_RESULT, PROVENANCE] if code == 0 else [])
