"""What hostile layouts and registries offer is refused before any of it is kept."""

from __future__ import annotations

import hashlib
import io
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fake_registry import FakeRegistry, serving
from hostile_tars import CASES, DATA, LAYERS, entry, link, tar
from samovar.bundle.archive import load
from samovar.bundle.checking import check_content
from samovar.bundle.opened import open_bundle
from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.core.reference import Reference
from samovar.errors import Damaged, Refused, SamovarError
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

LAYOUTS = [name for name in CASES if name.startswith("o")]
TAKEN_IN_BUNDLES = {"l15_setuid.tar"}
# An engine unpacks these inside the image's own root; nothing in their names reaches out.
TAKEN_IN_IMAGES = {
    "l07_symlink_file_overwrite.tar",
    "l11_hardlink_cwd.tar",
    "l15_setuid.tar",
    "l17_case_unicode_dupes.tar",
    "l21_name_nul_newline.tar",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def store(home: Home) -> Store:
    return Store(home.store)


def assert_empty(store: Store) -> None:
    assert store.names() == {}
    assert list(store.blobs.iterdir()) == []
    assert list(store.unfinished.iterdir()) == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_hostile_layouts_are_refused(name: str, home: Home, store: Store) -> None:
    with pytest.raises(SamovarError) as caught:
        load(home, store, DATA / name)
    assert caught.value.message
    assert_empty(store)
    assert list((home.path / "work").iterdir()) == []


def write_layout(folder: Path, layer: bytes, media_type: str, diff_id: Digest) -> Path:
    """Write an OCI archive whose one layer is as given and whose digests are all right."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes, kind: str) -> Descriptor:
        digest = Digest.of(data)
        blobs[f"blobs/sha256/{digest.hex}"] = data
        return Descriptor(media_type=kind, digest=digest, size_bytes=len(data))

    is_image = media_type.startswith("application/vnd.oci")
    config = {"rootfs": {"type": "layers", "diff_ids": [str(diff_id)]}}
    if not is_image:
        config = {"modelfs": {"type": "layers", "diffIds": [str(diff_id)]}}
    manifest = Manifest(
        config=put(
            json.dumps(config).encode(),
            media_types.OCI_CONFIG if is_image else media_types.MODEL_CONFIG,
        ),
        layers=(put(layer, media_type),),
        artifact_type=None if is_image else media_types.MODEL_MANIFEST,
    )
    described = put(manifest.to_bytes(), media_types.OCI_MANIFEST)
    index = {"schemaVersion": 2, "manifests": [described.to_json()]}
    members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', **blobs}
    members["index.json"] = json.dumps(index).encode()
    file = folder / "layout.tar"
    file.write_bytes(tar(*(entry(name, data) for name, data in members.items())))
    return file


@pytest.mark.parametrize("name", [n for n in LAYERS if n not in TAKEN_IN_BUNDLES])
def test_hostile_layers_of_bundles_are_refused(
    name: str, home: Home, store: Store, tmp_path: Path
) -> None:
    layer = (DATA / name).read_bytes()
    file = write_layout(tmp_path, layer, media_types.MODEL_WEIGHT_TAR, Digest.of(layer))
    with pytest.raises((Refused, Damaged)):
        load(home, store, file)
    assert_empty(store)


def inside(layer: bytes) -> bytes:
    """Give what a tolerant reader finds in a gzip file."""
    import zlib

    try:
        return zlib.decompressobj(31).decompress(layer)
    except zlib.error:
        return layer


@pytest.mark.parametrize("name", [n for n in LAYERS if n not in TAKEN_IN_IMAGES])
def test_hostile_layers_of_images_are_refused(
    name: str, home: Home, store: Store, tmp_path: Path
) -> None:
    layer = (DATA / name).read_bytes()
    is_gzip = ".gz" in name
    kind = media_types.OCI_LAYER_GZIP if is_gzip else media_types.OCI_LAYER_TAR
    file = write_layout(tmp_path, layer, kind, Digest.of(inside(layer) if is_gzip else layer))
    with pytest.raises((Refused, Damaged)):
        load(home, store, file)
    assert_empty(store)


def test_links_of_honest_images_are_taken(home: Home, store: Store, tmp_path: Path) -> None:
    layer = tar(entry("usr/bin/a", b"1"), link("bin", "usr/bin"), link("etc/a", "/usr/bin/a"))
    file = write_layout(tmp_path, layer, media_types.OCI_LAYER_TAR, Digest.of(layer))
    assert len(load(home, store, file)) == 1


def test_index_of_a_gigabyte_of_names_is_refused(home: Home, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "large.tar"
    members = [entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')]
    members.append(entry("index.json", b'{"schemaVersion":2,"manifests":[' + b" " * 5_000_000))
    file.write_bytes(tar(*members))
    with pytest.raises(Damaged):
        load(home, store, file)
    assert_empty(store)


def test_description_that_fills_the_memory_is_refused(store: Store) -> None:
    import gzip

    layer = gzip.compress(tar(entry("srv/samovar.json", bytes(300_000_000))), 1)
    kind = media_types.MODEL_WEIGHT_CONFIG_TAR + media_types.GZIP_SUFFIX
    described = Descriptor(media_type=kind, digest=store.put_bytes(layer), size_bytes=len(layer))
    config = store.put_bytes(b"{}")
    manifest = Manifest(
        config=Descriptor(media_type=media_types.MODEL_CONFIG, digest=config, size_bytes=2),
        layers=(described,),
        artifact_type=media_types.MODEL_MANIFEST,
    )
    with pytest.raises(Refused, match=r"larger than|beyond all measure"):
        open_bundle(store, store.put_document(manifest))


def test_pull_refuses_a_hostile_layer(store: Store) -> None:
    layer = tar(entry("../out", b"1"))
    config = json.dumps({"modelfs": {"diffIds": [str(Digest.of(layer))]}}).encode()
    with serving(FakeRegistry()) as registry:
        described = [
            {"mediaType": kind, "size": len(data), "digest": registry.put_blob("evil", data)}
            for data, kind in (
                (config, media_types.MODEL_CONFIG),
                (layer, media_types.MODEL_WEIGHT_TAR),
            )
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "artifactType": media_types.MODEL_MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
        data = json.dumps(manifest).encode()
        registry.put_manifest("evil", "1", data, media_types.OCI_MANIFEST)
        with pytest.raises(Refused, match=r"\.\./out"):
            pull(
                store,
                Reference.parse(f"{registry.host}/evil:1"),
                options=Options(backoff_s=0.001),
                check=partial(check_content, store.blobs),
            )
    assert store.names() == {}


def test_two_hashes_are_one(tmp_path: Path) -> None:
    from samovar.store.unpack import scan_tar

    content = tar(entry("f", b"x" * 100_000))
    assert scan_tar(io.BytesIO(content)).hex == hashlib.sha256(content).hexdigest()
