"""``verify image:REF``: what runs is what was packed, and anything else is told."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest

from altered_images import alter
from cli import samovar
from engines.processes import need
from samovar.image.base_lock import known_base
from samovar.image.private_root import has_namespaces, why_not

SITE = "opt/venv/lib/python3.11/site-packages"
JOBLIB = "1.6.0"
NOBODY = 65534
NO_ENGINE = "unix:///nobody/listens.sock"
needs_private_root = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def archive(built, tmp_path_factory) -> Path:
    """The image for this machine alone, as an OCI archive."""
    file = tmp_path_factory.mktemp("archive") / "image.tar"
    samovar("build", "titanic", "--tag", "alone", "-o", file, SAMOVAR_HOME=built.home)
    return file


def verify(target: str | Path, *options: str, home: Path, code: int, host: str = NO_ENGINE) -> dict:
    """Ask for a verdict."""
    return samovar(
        "verify", f"image:{target}", *options, "--json",
        code=code, SAMOVAR_HOME=home, DOCKER_HOST=host,
    ).json  # fmt: skip


def altered(answer: dict) -> dict[str, list[str]]:
    """Give the files that a verdict names, by what they belong to."""
    assert answer["verdict"] == "CANNOT LOAD"
    assert answer["rows"] == 0
    return {found["name"]: found.get("files") for found in answer["environment"]["mismatches"]}


@needs_private_root
def test_an_image_of_the_store_is_identical_without_any_engine(built):
    answer = verify("titanic", home=built.home, code=0)
    assert answer["verdict"] == "IDENTICAL"
    assert answer["rows"] > 0
    assert answer["environment"] == {"mismatches": []}
    assert answer["image"]["isolation"] == "root"
    assert answer["image"]["id"] == built.document["image_id"]


@needs_private_root
def test_whatever_was_altered_is_named_and_nothing_is_loaded(built, archive, tmp_path):
    other = alter(
        archive,
        tmp_path / "other.tar",
        files={
            f"{SITE}/numpy/version.py": lambda data: data + b"# another\n",
            f"{SITE}/joblib-{JOBLIB}.dist-info/METADATA": lambda data: data.replace(
                f"Version: {JOBLIB}".encode(), b"Version: 0.1", 1
            ),
            "srv/project/models/model.pkl": lambda data: data[:-1] + b"0.",
            # Who changes what the bundle says of itself is found out by the one in the store.
            "srv/samovar.json": lambda data: data.replace(b'"1.0.0"', b'"1.0.1"'),
            "opt/samovar/samovar/runtime/replay.py": lambda data: data + b"# another\n",
        },
        added={
            f"{SITE}/sitecustomize.py": b"import numpy\n",
            "usr/lib/python3.11/json/decoder.py": b"# another\n",
            "etc/ld.so.preload": b"/evil.so\n",
        },
        config=lambda document: document["config"]["Env"].append("PYTHONPATH=/evil"),
    )
    answer = verify(other, "--against", "titanic", home=built.home, code=3)
    assert altered(answer) == {
        "numpy": [f"{SITE}/numpy/version.py"],
        "joblib": None,
        "bundle": ["srv/project/models/model.pkl", "srv/samovar.json"],
        "samovar": ["opt/samovar/samovar/runtime/replay.py"],
        "image": ["Env PYTHONPATH", f"{SITE}/sitecustomize.py"],
        "base": ["etc/ld.so.preload", "usr/lib/python3.11/json/decoder.py"],
    }
    found = {one["name"]: one["found"] for one in answer["environment"]["mismatches"]}
    assert found["joblib"] == "0.1"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not has_namespaces(), reason="needs user namespaces")
def test_a_user_without_rights_verifies_it_without_an_engine(archive):
    need("setpriv", "apt install util-linux")
    folder = Path(tempfile.mkdtemp(prefix="samovar-nobody-"))
    try:
        shutil.copyfile(archive, folder / "image.tar")
        for path in (folder, folder / "image.tar"):
            os.chown(path, NOBODY, NOBODY)
        answer = samovar(
            "verify", "image:./image.tar", "--json", cwd=folder, user=NOBODY, HOME=folder,
            SAMOVAR_HOME=folder / "home", DOCKER_HOST=NO_ENGINE,
        ).json  # fmt: skip
    finally:
        shutil.rmtree(folder)
    assert answer["verdict"] == "IDENTICAL"
    assert answer["image"]["isolation"] == "root"


@needs_private_root
def test_a_changed_base_is_named_by_its_files_or_without_any_by_its_layer(
    built, archive, tmp_path, monkeypatch
):
    path = "usr/lib/python3.11/json/decoder.py"
    other = alter(archive, tmp_path / "other.tar", files={path: lambda data: data + b"#\n"})
    answer = verify(other, home=built.home, code=3)
    assert altered(answer) == {"base": [path]}
    assert answer["image"]["base"] == "debian-bookworm"
    assert answer["image"]["base_compared"]
    monkeypatch.setenv("SAMOVAR_OFFLINE", "1")
    layers = altered(verify(other, home=tmp_path / "empty", code=3))["base"]
    assert [name[:7] for name in layers] == ["sha256:"]


def test_the_layers_of_the_base_are_those_that_its_lock_pins(built):
    index = samovar("save", "titanic", built.home / "saved.tar", SAMOVAR_HOME=built.home)
    assert index.code == 0
    with tarfile.open(built.home / "saved.tar") as tar:
        configs = [
            json.loads(tar.extractfile(member).read())
            for member in tar
            if member.isfile()
            and member.size < 100_000
            and b"rootfs" in tar.extractfile(member).read()
        ]
    pinned = known_base("3.11").layers
    assert {
        f"{config['os']}/{config['architecture']}": config["rootfs"]["diff_ids"][:2]
        for config in configs
    } == {platform: [str(digest) for digest in digests] for platform, digests in pinned.items()}


def test_a_flipped_byte_is_damage(archive, tmp_path):
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped.tar").write_bytes(data)
    answer = verify(tmp_path / "flipped.tar", home=tmp_path / "home", code=3)
    assert answer["error"]["code"] in {"damaged", "damaged_archive"}


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("nothing:1", "not_found"),
        ("./nothing.tar", "not_found"),
        ("", "invalid_reference"),
        ("Upper", "invalid_reference"),
    ],
)
def test_what_is_no_image_says_so(tmp_path, target, code):
    answer = verify(target, home=tmp_path, code=2)
    assert answer["error"]["code"] == code
    assert answer["error"]["hint"]


def test_a_bundle_that_was_not_built_is_no_image(built):
    bundle = samovar("inspect", "titanic", "--json", SAMOVAR_HOME=built.home).json["digest"]
    answer = verify(bundle, home=built.home, code=2)
    assert answer["error"]["code"] == "not_an_image"


@needs_private_root
@pytest.mark.engine
def test_an_image_of_a_registry_is_identical_in_an_empty_home(built, registry, tmp_path):
    name = f"{registry.host}/verify/titanic:1"
    samovar("push", "titanic", name, SAMOVAR_HOME=built.home)
    answer = verify(name, home=tmp_path, code=0)
    assert answer["verdict"] == "IDENTICAL"
    assert answer["image"]["from"] == "registry"


@pytest.mark.engine
def test_the_engines_own_image_is_verified_in_it_and_a_committed_change_is_told(
    built, docker_engine, tmp_path
):
    loaded = samovar(
        "build", "titanic", "--load", "--tag", "verified:1", "--json",
        SAMOVAR_HOME=built.home, DOCKER_HOST=docker_engine.host,
    ).json  # fmt: skip
    # An empty home knows nothing but what the image says.
    answer = verify("verified:1", home=tmp_path, code=0, host=docker_engine.host)
    assert answer["verdict"] == "IDENTICAL"
    assert answer["image"]["isolation"] == "docker"
    assert answer["image"]["id"] == loaded["image_id"]
    container = docker_engine.docker("create", "verified:1").stdout.strip()
    changed = tmp_path / "validation.py"
    changed.write_text("# not scikit-learn's\n")
    path = f"{SITE}/sklearn/utils/validation.py"
    docker_engine.docker("cp", changed, f"{container}:/{path}")
    docker_engine.docker("commit", container, "verified:2")
    docker_engine.docker("rm", container)
    answer = verify("verified:2", home=tmp_path, code=3, host=docker_engine.host)
    assert altered(answer) == {"scikit-learn": [path]}


@pytest.mark.engine
def test_an_archive_is_lent_to_the_engine_and_taken_back(built, docker_engine, tmp_path):
    file = tmp_path / "image.tar"
    samovar(
        "build", "titanic", "-o", file, "--archive", "docker", "--tag", "lent:1",
        SAMOVAR_HOME=built.home,
    )  # fmt: skip
    answer = verify(file, "--isolation", "docker", home=built.home, code=0, host=docker_engine.host)
    assert answer["verdict"] == "IDENTICAL"
    assert answer["image"]["from"] == "archive"
    names = docker_engine.docker("image", "ls", "--format", "{{.Repository}}").stdout
    assert "samovar-verify" not in names.split()
