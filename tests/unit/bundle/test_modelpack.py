"""What the ModelPack specification asks of a bundle, and what other tools read from one."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import pytest

from samovar.bundle.layers import store_bundle
from samovar.bundle.opened import open_bundle
from samovar.core import layout
from samovar.core.bundle import BundleDocument, BundleFile, BundleModel
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.core.receipt import Policy, Receipt
from samovar.core.signature import Signature
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

# Facts of the specification as of June 2026: the manifest's types, the kinds of layers with their
# two forms, and what a configuration may hold.
MANIFEST = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
LAYERS = {
    f"application/vnd.cncf.model.{kind}.v1.{form}"
    for kind in ("weight", "weight.config", "code", "doc", "dataset")
    for form in ("tar", "tar+gzip", "tar+zstd", "raw")
}
DESCRIPTOR = {
    "createdAt", "authors", "family", "name", "docURL", "sourceURL", "datasetsURL", "version",
    "revision", "vendor", "licenses", "title", "description",
}  # fmt: skip
MODEL = {"architecture", "format", "paramSize", "precision", "quantization", "capabilities"}
FILES = {
    "model.pkl": ("model", b"a model"),
    "server.py": ("code", b"print()\n"),
    "wheels/own-1.0-py3-none-any.whl": ("wheel", b"a wheel"),
}


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """Lay out a bundle as pack does."""
    folder = tmp_path / "staged"
    described = []
    for path, (kind, data) in FILES.items():
        place = folder / path if kind == "wheel" else folder / layout.PROJECT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        described.append(
            BundleFile(path=path, digest=Digest.of(data), size_bytes=len(data), kind=kind)
        )
    document = BundleDocument(
        name="titanic",
        version="1.0.0",
        python="3.11",
        model=BundleModel(path="model.pkl", format="pickle", method="predict"),
        signature=Signature(container="array", inputs=(), outputs=()),
        app=None,
        message="",
        files=tuple(described),
    )
    receipt = Receipt(
        method="predict",
        rows=(),
        outputs=(),
        batching="identical",
        policy=Policy(relative_difference=1e-9),
        numerics="x86-64-v3",
    )
    (folder / layout.DOCUMENT).write_bytes(canonical_json(document.to_json()))
    (folder / layout.RECEIPT).write_bytes(canonical_json(receipt.to_json()))
    (folder / layout.LOCK).write_bytes(b'lock-version = "1.0"\n')
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def manifest_of(store: Store, staged: Path) -> Manifest:
    content = store.read_document(store_bundle(store, staged, ()))
    assert isinstance(content, Manifest)
    return content


def test_a_bundle_is_a_modelpack_artifact(store: Store, staged: Path) -> None:
    manifest = manifest_of(store, staged)
    assert manifest.artifact_type == MANIFEST
    assert manifest.config.media_type == CONFIG
    assert {layer.media_type for layer in manifest.layers} <= LAYERS
    config = json.loads(store.read_blob(manifest.config))
    assert set(config) == {"descriptor", "config", "modelfs"}
    assert set(config["descriptor"]) <= DESCRIPTOR
    assert config["descriptor"]["name"]
    assert set(config["config"]) <= MODEL
    assert set(config["modelfs"]) == {"type", "diffIds"}
    assert config["modelfs"]["type"] == "layers"
    assert all("org.cncf.model.filepath" in layer.annotations for layer in manifest.layers)


def test_diff_ids_are_those_of_the_uncompressed_layers(store: Store, staged: Path) -> None:
    manifest = manifest_of(store, staged)
    plain = [zlib.decompress(store.read_blob(layer), 31) for layer in manifest.layers]
    config = json.loads(store.read_blob(manifest.config))
    assert config["modelfs"]["diffIds"] == [str(Digest.of(data)) for data in plain]


def test_another_model_is_one_blob_and_what_names_it(store: Store, staged: Path) -> None:
    before = manifest_of(store, staged)
    text = (staged / layout.DOCUMENT).read_text()
    new = b"another model"
    (staged / layout.PROJECT / "model.pkl").write_bytes(new)
    (staged / layout.DOCUMENT).write_text(
        text.replace(Digest.of(b"a model").hex, Digest.of(new).hex)
    )
    after = manifest_of(store, staged)
    known = {layer.digest for layer in before.layers}
    changed = [layer for layer in after.layers if layer.digest not in known]
    assert [layer.annotations["org.cncf.model.filepath"] for layer in changed] == [
        "srv/project",
        "srv/samovar.json",
    ]


def test_a_bundle_whose_receipt_has_a_layer_of_its_own_is_read(
    store: Store, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = "application/vnd.cncf.model."
    earlier = [
        ("project", f"{kinds}weight.v1.tar", ["project/model.pkl"]),
        ("samovar.json", f"{kinds}weight.config.v1.tar", ["samovar.json", "pylock.toml"]),
        ("receipt.json", f"{kinds}dataset.v1.tar", ["receipt.json"]),
    ]
    monkeypatch.setattr("samovar.bundle.layers._plan", lambda _document: earlier)
    bundle = open_bundle(store, store_bundle(store, staged, ()))
    assert bundle.receipt.batching == "identical"
    assert bundle.lock == b'lock-version = "1.0"\n'
