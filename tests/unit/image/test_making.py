"""Configuration, manifests, evidence and archives of an image, out of a bundle made by hand."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace

import pytest

from samovar.bundle.opened import Bundle
from samovar.core import media_types
from samovar.core.bundle import BundleDocument, BundleModel
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import Index, Manifest
from samovar.core.origin import Training
from samovar.core.receipt import Policy, Receipt
from samovar.core.reference import Reference
from samovar.core.run import RunFile, RunRecord
from samovar.core.signature import Signature
from samovar.core.stored_gzip import stored_gzip
from samovar.core.tar import TarMember
from samovar.env.lock import LockedFile, LockedPackage
from samovar.errors import UserError
from samovar.image.base import Base, Component
from samovar.image.build import Options, build_image
from samovar.image.built_before import find_built, inputs_of, remember_built
from samovar.image.config import describe_image, image_config
from samovar.image.docker_archive import docker_name, load_answer, write_docker_archive
from samovar.image.evidence import SBOM_TYPE, STATEMENT_TYPE, attach_evidence, provenance
from samovar.image.layer import store_layer
from samovar.image.made import Built, Layer
from samovar.image.manifest import bundle_layers, start_layer, store_image, store_index
from samovar.image.packages import Wheels, code_members, direct_url
from samovar.image.platform import Libc
from samovar.image.scheme import Scheme
from samovar.image.wheel_choice import ChosenWheel
from samovar.store.home import Home
from samovar.store.layout import Store
from samovar.store.reach import referrers, walk
from unit.image.wheels import layer_files, open_layer


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def bundle(store) -> Bundle:
    return make_bundle(store, b"model")


def put_stored(store: Store, kind: str, data: bytes) -> Descriptor:
    content = b"".join(stored_gzip([data]))
    return Descriptor(media_type=kind, digest=store.put_bytes(content), size_bytes=len(content))


def make_bundle(store: Store, model: bytes) -> Bundle:
    blobs = [
        (media_types.MODEL_WEIGHT_TAR + media_types.GZIP_SUFFIX, model),
        (media_types.MODEL_CODE_TAR + media_types.GZIP_SUFFIX, b"code"),
        (media_types.MODEL_WEIGHT_CONFIG_TAR + media_types.GZIP_SUFFIX, b"receipt"),
    ]
    diff_ids = [str(Digest.of(data)) for _, data in blobs]
    config_bytes = json.dumps({"modelfs": {"diffIds": diff_ids}}).encode()
    config = store.put_bytes(config_bytes)
    manifest = Manifest(
        artifact_type=media_types.MODEL_MANIFEST,
        config=Descriptor(
            media_type=media_types.MODEL_CONFIG, digest=config, size_bytes=len(config_bytes)
        ),
        layers=tuple(put_stored(store, kind, data) for kind, data in blobs),
    )
    return Bundle(
        descriptor=store.put_document(manifest),
        manifest=manifest,
        document=BundleDocument(
            name="titanic",
            version="1.0.0",
            python="3.11",
            model=BundleModel(path="model.pkl", format="pickle", method="predict"),
            signature=Signature(container="array", inputs=(), outputs=()),
            app=None,
            message="hello",
            files=(),
        ),
        receipt=Receipt(
            method="predict",
            rows=(),
            outputs=(),
            batching="identical",
            policy=Policy(relative_difference=1e-9),
            numerics="x86-64-v3",
        ),
        lock=b'lock-version = "1.0"\ncreated-by = "tests"\npackages = []\n',
    )


@pytest.fixture
def base(store) -> Base:
    layer = store_layer(store, [TarMember(path="usr/bin/python3.11", data=b"elf")], "base")
    return Base(
        name="debian-test",
        digest=Digest.of(b"base"),
        layers=(layer,),
        python="/usr/bin/python3.11",
        minor="3.11",
        libc=Libc(name="glibc", major=2, minor=36),
        components=(
            Component(
                name="libc6",
                version="2.36-9",
                purl="pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm",
                sha256="a" * 64,
            ),
        ),
    )


def wheels(*names: str) -> Wheels:
    return Wheels(
        chosen=tuple(
            ChosenWheel(
                package=LockedPackage(name=name, version="1.0", marker=None, wheels=(), sdist=None),
                file=LockedFile(
                    name=f"{name}-1.0-py3-none-any.whl",
                    url="https://index.example/x.whl",
                    path=None,
                    sha256="b" * 64,
                    size_bytes=10,
                ),
            )
            for name in names
        ),
        travelling=None,
        scheme=Scheme.environment("3.11"),
    )


def make_image(store: Store, bundle: Bundle, base: Base):
    layers = [*base.layers, start_layer(store, bundle, base, ()), *bundle_layers(store, bundle)]
    return store_image(
        store,
        base=base,
        platform="linux/amd64",
        layers=layers,
        described=describe_image(bundle, base),
    )


def test_the_configuration_runs_as_nobody_and_stops_on_sigterm(bundle, base):
    data = image_config(
        base=base,
        platform="linux/arm64",
        layers=base.layers,
        described=describe_image(bundle, base),
    )
    document = json.loads(data)
    assert (document["os"], document["architecture"]) == ("linux", "arm64")
    assert document["rootfs"]["diff_ids"] == [str(base.layers[0].diff_id)]
    assert len(document["history"]) == len(base.layers)
    run = document["config"]
    assert run["User"] == "65532:65532"
    assert run["Entrypoint"][0] == "/opt/venv/bin/python"
    assert run["StopSignal"] == "SIGTERM"
    assert run["ExposedPorts"] == {"5000/tcp": {}}
    assert run["Healthcheck"]["Test"][0] == "CMD"
    assert run["Labels"]["dev.samovar.bundle.digest"] == str(bundle.digest)
    assert run["Labels"]["org.opencontainers.image.base.digest"] == str(base.digest)
    assert "PYTHONHASHSEED=0" in run["Env"]


def test_grpc_is_exposed_and_started_only_where_it_is_asked_for(store, bundle, base):
    made = {"base": base, "platform": "linux/amd64", "layers": base.layers}
    described = describe_image(bundle, base)
    document = json.loads(image_config(**made, described=described, grpc=True))
    assert document["config"]["ExposedPorts"] == {"5000/tcp": {}, "8001/tcp": {}}
    for grpc, wanted in ((True, {"port": 8001, "packages": "/opt/samovar"}), (False, None)):
        found = layer_files(store, start_layer(store, bundle, base, (), grpc=grpc))
        assert json.loads(found["etc/samovar/job.json"]).get("grpc") == wanted


def test_time_is_the_source_date_epoch_or_none(bundle, base, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert describe_image(bundle, base).created == "1970-01-01T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert describe_image(bundle, base).created == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UserError, match="SOURCE_DATE_EPOCH"):
        describe_image(bundle, base)


def test_the_bundles_blobs_are_the_images_layers(store, bundle, base):
    image = make_image(store, bundle, base)
    manifest = store.read_document(image.descriptor)
    own = {layer.digest for layer in bundle.manifest.layers}
    assert {layer.digest for layer in manifest.layers[2:]} == own
    assert {layer.media_type for layer in manifest.layers[1:-1]} == {media_types.OCI_LAYER_GZIP}
    config = json.loads(store.read_blob(manifest.config))
    inside = [str(Digest.of(data)) for data in (b"code", b"model", b"receipt")]
    assert sorted(config["rootfs"]["diff_ids"][2:]) == sorted(inside)


def test_a_new_model_changes_its_blob_and_what_names_it(store, bundle, base):
    before = make_image(store, bundle, base)
    after = make_image(store, make_bundle(store, b"another model"), base)
    old = {layer.diff_id for layer in before.layers}
    assert [layer.what for layer in after.layers if layer.diff_id not in old] == [
        "model",
    ]


def test_the_index_lists_images_and_the_bundle(store, bundle, base):
    image = make_image(store, bundle, base)
    index = store.read_document(store_index(store, bundle, [image], describe_image(bundle, None)))
    assert isinstance(index, Index)
    assert [str(found.platform) for found in index.manifests] == ["linux/amd64", "unknown/unknown"]
    assert index.manifests[1].digest == bundle.digest
    # skopeo 1.9 drops it from descriptors, and the digest would change with it.
    assert index.manifests[1].artifact_type is None


def test_the_start_layer_joins_environment_and_job(store, bundle, base):
    packages = [chosen.package for chosen in wheels("numpy").chosen]
    layer = start_layer(store, bundle, base, packages)
    found = layer_files(store, layer)
    job = json.loads(found["etc/samovar/job.json"])
    assert (job["verb"], job["bundle"], job["port"]) == ("serve", "/srv", 5000)
    assert job["wanted"] == {
        "python": "3.11",
        "packages": [{"name": "numpy", "version": "1.0"}],
    }
    assert json.loads(found["etc/samovar/start.json"])["then"] == "/etc/samovar/job.json"
    assert b"home = /usr/bin\n" in found["opt/venv/pyvenv.cfg"]
    with open_layer(store, layer) as archive:
        assert archive.getmember("opt/venv/bin/python").linkname == "/usr/bin/python3.11"


def test_samovars_own_code_in_an_image_is_what_the_runtime_needs():
    paths = {member.path for member in code_members()}
    assert {"opt/samovar/boot/boot.py", "opt/samovar/samovar/runtime/start.py"} <= paths
    assert not [path for path in paths if "/image/" in path or path.endswith(".pyc")]


def test_the_sbom_is_valid_and_the_same_every_time(store, home, bundle, base):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    image = make_image(store, bundle, base)
    given = {
        "bundle": bundle,
        "base": base,
        "wheels": wheels("numpy", "flask"),
        "runtime": wheels("msgspec").chosen,
        "image": image,
        "platform": "linux/amd64",
    }
    first = attach_evidence(home, store, **given)
    again = attach_evidence(Home(home.path / "other"), store, **given)
    assert first == again
    manifest = store.read_document(first[0])
    assert manifest.artifact_type == SBOM_TYPE
    data = store.read_blob(manifest.layers[0])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
    purls = [component["purl"] for component in json.loads(data)["components"]]
    assert "pkg:pypi/numpy@1.0" in purls
    assert any(purl.startswith("pkg:deb/debian/libc6@") for purl in purls)


def test_evidence_refers_to_the_image_and_names_what_it_was_made_of(store, home, bundle, base):
    image = make_image(store, bundle, base)
    attach_evidence(
        home,
        store,
        bundle=bundle,
        base=base,
        wheels=wheels("numpy"),
        runtime=(),
        image=image,
        platform="linux/amd64",
    )
    found = [store.read_document(one) for one in referrers(store, image.descriptor)]
    assert {one.artifact_type for one in found} == {SBOM_TYPE, STATEMENT_TYPE}
    assert {one.subject.digest for one in found} == {image.descriptor.digest}
    (found_statement,) = (one for one in found if one.artifact_type == STATEMENT_TYPE)
    statement = json.loads(store.read_blob(found_statement.layers[0]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0]["digest"]["sha256"] == image.descriptor.digest.hex
    definition = statement["predicate"]["buildDefinition"]
    digests = [one["digest"]["sha256"] for one in definition["resolvedDependencies"]]
    assert {bundle.digest.hex, base.digest.hex, Digest.of(bundle.lock).hex} <= set(digests)
    assert definition["externalParameters"]["platform"] == "linux/amd64"


def test_provenance_names_the_run_that_made_the_model_and_its_data(store, bundle, base):
    data = RunFile(path="data/my train.csv", digest=Digest.of(b"data"), size_bytes=4)
    record = RunRecord(
        project="t", command="python t.py", python="3.11.1", lock=None, packages={}, code=(),
        data=(data,),
    )  # fmt: skip
    origin = Training.of(record, run=Digest.of(b"run"), name="first")
    trained = replace(bundle, document=replace(bundle.document, origin=origin))
    image = make_image(store, bundle, base)
    statement = provenance(trained, base, wheels(), (), image, "linux/amd64")
    materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    named = {one["uri"]: one["digest"]["sha256"] for one in materials}
    assert named["samovar:run/first"] == Digest.of(b"run").hex
    assert named["samovar:data/data/my%20train.csv"] == data.digest.hex


def test_a_direct_reference_points_into_the_image():
    (chosen,) = wheels("mine").chosen
    assert direct_url(chosen) is None
    file = LockedFile(
        name="mine-1.0-py3-none-any.whl",
        url=None,
        path="wheels/mine-1.0-py3-none-any.whl",
        sha256="c" * 64,
        size_bytes=1,
        direct=True,
    )
    recorded = direct_url(ChosenWheel(package=chosen.package, file=file))
    assert recorded == {
        "url": "file:///srv/wheels/mine-1.0-py3-none-any.whl",
        "archive_info": {"hashes": {"sha256": "c" * 64}},
    }


def test_a_docker_archive_has_what_docker_load_reads(store, bundle, base, tmp_path):
    image = make_image(store, bundle, base)
    file = tmp_path / "image.tar"
    size = write_docker_archive(store, image, Reference.parse("titanic:1.0"), file)
    assert size == file.stat().st_size
    with tarfile.open(file) as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive}
    (entry,) = json.loads(members["manifest.json"])
    assert entry["RepoTags"] == ["titanic:1.0"]
    assert Digest.of(members[entry["Config"]]) == image.config_digest
    assert [members[path] is not None for path in entry["Layers"]] == [True] * len(image.layers)
    again = tmp_path / "again.tar"
    write_docker_archive(store, image, Reference.parse("titanic:1.0"), again)
    assert again.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("titanic", "titanic:latest"),
        ("localhost:5000/team/titanic:2", "localhost:5000/team/titanic:2"),
    ],
)
def test_docker_takes_our_names(name, shown):
    assert docker_name(Reference.parse(name)) == shown


def test_the_engines_complaint_is_found():
    assert load_answer(b'{"stream":"Loaded image"}\n') is None
    assert load_answer(b'not json\n{"error":"no space"}\n') == "no space"


def built_of(store: Store, bundle: Bundle, base: Base) -> Built:
    image = make_image(store, bundle, base)
    index = store_index(store, bundle, [image], describe_image(bundle, None))
    return Built(index=index, images={"linux/amd64": image}, built_layers=3)


def test_an_unchanged_bundle_is_found_and_a_lost_blob_means_building(store, home, bundle, base):
    built = built_of(store, bundle, base)
    inputs = inputs_of(bundle, Options(), ("linux/amd64",))
    assert find_built(home, store, inputs) is None
    remember_built(home, inputs, built)
    found = find_built(home, store, inputs)
    assert (found.index, found.images, found.built_layers) == (built.index, built.images, 0)
    store.blob_path(built.images["linux/amd64"].layers[0].descriptor.digest).unlink()
    assert find_built(home, store, inputs) is None


def test_inputs_are_the_bundle_the_base_the_platforms_and_the_time(store, bundle, monkeypatch):
    def inputs(bundle=bundle, base="debian", platforms=("linux/amd64",)):
        return inputs_of(bundle, Options(base=base), platforms)

    assert inputs() == inputs()
    assert inputs() != inputs(platforms=("linux/arm64",))
    assert inputs() != inputs(bundle=make_bundle(store, b"other"))
    assert inputs(base="localhost:5000/python:3.11") is None
    before = inputs()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    assert inputs() != before


def test_a_known_image_is_named_without_building(store, home, bundle, base):
    built = built_of(store, bundle, base)
    remember_built(home, inputs_of(bundle, Options(), ("linux/amd64",)), built)
    name = Reference.parse("titanic:9")
    found = build_image(
        home,
        store,
        bundle,
        Options(platforms=("linux/amd64",)),
        names=[name],
        progress=lambda _text: None,
    )
    assert found.built_layers == 0
    assert store.resolve(name).digest == built.index.digest
    assert {blob.digest for blob in walk(store, built.index)} >= {bundle.digest}


def test_the_answer_has_the_contracts_fields(store, bundle, base):
    document = built_of(store, bundle, base).to_json("titanic", 1.23456)
    assert set(document) == {
        "ref", "digest", "image_id", "platforms", "size_bytes", "layers", "built_layers",
        "elapsed_s",
    }  # fmt: skip
    assert set(document["layers"][0]) == {"digest", "size_bytes", "what"}
    assert document["size_bytes"] == sum(layer["size_bytes"] for layer in document["layers"])


def test_a_layer_is_read_as_it_was_written(base):
    layer = base.layers[0]
    assert Layer.from_json(json.loads(json.dumps(layer.to_json()))) == layer
