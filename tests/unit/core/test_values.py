import json

import pytest

from samovar.core import media_types
from samovar.core.bundle import BundleDocument
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor, Platform
from samovar.core.digest import Digest
from samovar.core.manifest import MAX_MANIFEST_BYTES, Index, Manifest, describe
from samovar.core.receipt import Receipt, Tensor
from samovar.core.reference import Reference, check_name
from samovar.core.signature import Column, Output, Signature
from samovar.errors import Damaged, InvalidReference

DIGEST = "sha256:" + "ab" * 32
DESCRIPTOR = {"mediaType": "text/plain", "digest": DIGEST, "size": 3}


def test_canonical_json_refuses_what_json_lacks():
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"x": float("nan")})


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "AB" * 32, "md5:" + "ab" * 16, DIGEST + "0", 7]
)
def test_digest_refuses_anything_but_sha256(text):
    with pytest.raises(InvalidReference):
        Digest.parse(text)


def test_digest_is_the_same_however_the_bytes_are_cut():
    assert Digest.of_chunks([b"a", b"", b"bc"]) == Digest.of(b"abc")
    assert str(Digest.parse(DIGEST)) == DIGEST
    assert Digest.parse(DIGEST).hex == "ab" * 32


def test_descriptor_round_trips():
    document = {
        **DESCRIPTOR,
        "annotations": {"a": "b"},
        "artifactType": "application/x",
        "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
    }
    descriptor = Descriptor.from_json(document)
    assert descriptor.to_json() == document
    assert str(descriptor.platform) == "linux/arm64/v8"
    assert str(Platform(os="linux", architecture="amd64")) == "linux/amd64"
    assert Descriptor.from_json(DESCRIPTOR).to_json() == DESCRIPTOR


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mediaType": None}, "mediaType"),
        ({"mediaType": ""}, "mediaType"),
        ({"size": -1}, "size"),
        ({"size": True}, "size"),
        ({"size": "3"}, "size"),
        ({"digest": "md5:00"}, "digest"),
        ({"annotations": {"a": 1}}, "annotations"),
        ({"annotations": ["a"]}, "annotations"),
        ({"artifactType": 1}, "artifactType"),
        ({"platform": []}, "platform"),
        ({"platform": {"os": "linux"}}, "platform"),
        ({"platform": {"os": "linux", "architecture": "arm", "variant": 7}}, "variant"),
    ],
)
def test_descriptor_names_the_field_that_is_wrong(change, field):
    with pytest.raises(Damaged, match=field):
        Descriptor.from_json({**DESCRIPTOR, **change})


def test_descriptor_must_be_an_object():
    with pytest.raises(Damaged, match="blob is not an object"):
        Descriptor.from_json([], where="blob")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("titanic", (None, "titanic", "latest", None)),
        ("titanic:1.0", (None, "titanic", "1.0", None)),
        ("team/titanic", (None, "team/titanic", "latest", None)),
        (f"titanic@{DIGEST}", (None, "titanic", None, DIGEST)),
        (f"titanic:1@{DIGEST}", (None, "titanic", "1", DIGEST)),
        ("localhost/titanic", ("localhost", "titanic", "latest", None)),
        ("127.0.0.1:5000/a/b:c", ("127.0.0.1:5000", "a/b", "c", None)),
        ("registry.example.org/titanic", ("registry.example.org", "titanic", "latest", None)),
        ("[::1]:5000/titanic", ("[::1]:5000", "titanic", "latest", None)),
    ],
)
def test_reference_is_read_as_docker_reads_it(text, parts):
    reference = Reference.parse(text)
    digest = None if reference.digest is None else str(reference.digest)
    assert (reference.registry, reference.name, reference.tag, digest) == parts
    assert reference.is_remote == (parts[0] is not None)
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "", "Titanic", "a..b", "../a", "a//b", "/a", "a/", "-a", "a:", "a:b:c", "a@b", "a b",
        "titanic:" + "x" * 129, "x" * 256, "a:\n", "a\n", "ho_st.x:1/a", "ti\u0442anic",
    ],
)  # fmt: skip
def test_malformed_reference_is_refused(text):
    with pytest.raises(InvalidReference):
        Reference.parse(text)


def test_long_name_is_shortened_in_the_message():
    with pytest.raises(InvalidReference) as caught:
        check_name("x" * 1000)
    assert len(caught.value.message) < 100
    assert check_name("x" * 255) == "x" * 255


def manifest(**changes) -> Manifest:
    one = Descriptor.from_json(DESCRIPTOR)
    return Manifest(**{"config": one, "layers": (one,), **changes})


def test_manifest_round_trips_with_everything_set():
    one = Descriptor.from_json(DESCRIPTOR)
    full = manifest(artifact_type="application/x", subject=one, annotations={"a": "b"})
    for content in (full, manifest()):
        assert Manifest.from_bytes(content.to_bytes()) == content
    assert full.blobs == (one, one)


def test_index_round_trips_with_everything_set():
    one = Descriptor.from_json(DESCRIPTOR)
    full = Index(
        manifests=(one,), artifact_type="application/x", subject=one, annotations={"a": "b"}
    )
    for content in (full, Index(manifests=())):
        assert Index.from_bytes(content.to_bytes()) == content
    descriptor, data = describe(full)
    assert descriptor.digest == Digest.of(data)
    assert descriptor.artifact_type == "application/x"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "schema version 2"),
        (b'{"schemaVersion":1}', "schema version 2"),
        (b'{"schemaVersion":2,"mediaType":"text/html"}', "text/html"),
        (b'{"schemaVersion":2,"artifactType":7}', "artifactType"),
        (b'{"schemaVersion":2,"annotations":{"a":7}}', "annotations"),
        (b'{"schemaVersion":2,"manifests":[],"layers":[]}', "at once"),
        (b'{"schemaVersion":2}', "list of"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "limit"),
    ],
)
def test_damaged_documents_are_named(data, said):
    with pytest.raises(Damaged, match=said):
        Manifest.from_bytes(data)
    with pytest.raises(Damaged, match=said):
        Index.from_bytes(data)


def test_docker_manifest_keeps_its_media_type():
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.DOCKER_MANIFEST,
        "config": DESCRIPTOR,
        "layers": [],
    }
    read = Manifest.from_bytes(json.dumps(document).encode())
    assert read.media_type == media_types.DOCKER_MANIFEST


def signature() -> Signature:
    return Signature(
        container="frame",
        inputs=(
            Column(name="age", dtype="float64", nullable=True),
            Column(name="city", dtype="category", categories=("a", "b"), ordered=True),
            Column(name="when", dtype="datetime", timezone="UTC"),
        ),
        outputs=(
            Output(name="prediction", datatype="FP64", shape=(2,), labels=("no", "yes")),
            Output(name="other", datatype="INT64"),
        ),
    )


def test_signature_round_trips():
    assert Signature.from_json(signature().to_json()) == signature()


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"container": "cube"},
        {"container": "array", "inputs": [{"name": "x", "dtype": "complex"}]},
        {"container": "array", "inputs": [7]},
        {"container": "array", "outputs": [{"name": "y"}]},
    ],
)
def test_damaged_signature_is_named(document):
    with pytest.raises(Damaged):
        Signature.from_json(document)


RECEIPT = {
    "receipt": 1,
    "method": "predict",
    "rows": [[1.0], [2.0]],
    "outputs": [{"name": "p", "datatype": "FP64", "shape": [2], "data": [0.1, "NaN"]}],
    "batching": "identical",
    "policy": {"relative_difference": 1e-12},
    "numerics": "native",
}


def test_receipt_round_trips():
    receipt = Receipt.from_json(RECEIPT)
    assert receipt.to_json() == RECEIPT
    assert receipt.outputs[0].is_float


@pytest.mark.parametrize(
    "change",
    [
        {"receipt": 2},
        {"batching": "maybe"},
        {"policy": None},
        {"outputs": [{"name": "p"}]},
        {"outputs": [{"name": "p", "datatype": "FP64", "shape": [3], "data": [1.0]}]},
        {"outputs": [{"name": "p", "datatype": "FP64", "shape": [], "data": [1.0]}]},
        {"outputs": [{"name": "p", "datatype": "FP64", "shape": ["x"], "data": []}]},
    ],
)
def test_damaged_receipt_is_named(change):
    with pytest.raises(Damaged):
        Receipt.from_json({**RECEIPT, **change})


def test_receipt_must_be_an_object():
    with pytest.raises(Damaged):
        Receipt.from_json([])


def test_tensor_of_labels_is_not_float():
    assert not Tensor(name="p", datatype="BYTES", shape=(1,), data=("a",)).is_float


BUNDLE = {
    "samovar": 1,
    "name": "titanic",
    "version": "1.0.0",
    "python": "3.11",
    "model": {
        "path": "m.pkl",
        "format": "pickle",
        "method": "predict",
        "library": "scikit-learn",
        "trusted": ["a.B"],
    },
    "signature": signature().to_json(),
    "service": {"app": "server:app", "message": "hello"},
    "files": [{"path": "m.pkl", "digest": DIGEST, "size_bytes": 3, "kind": "model"}],
}


def test_bundle_document_round_trips():
    assert BundleDocument.from_json(BUNDLE).to_json() == BUNDLE


@pytest.mark.parametrize("change", [{"samovar": 9}, {"model": {}}, {"files": [3]}, {"service": 1}])
def test_damaged_bundle_document_is_named(change):
    with pytest.raises(Damaged):
        BundleDocument.from_json({**BUNDLE, **change})


def test_bundle_document_must_be_an_object():
    with pytest.raises(Damaged):
        BundleDocument.from_json(None)
