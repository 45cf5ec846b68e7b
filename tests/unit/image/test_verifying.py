"""What is read below somebody else's root, and how a lock is compared with it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from samovar.bundle.child import Mismatch, Mismatched
from samovar.core.digest import Digest
from samovar.env.lock import LockedPackage
from samovar.errors import Damaged, SamovarError, Unavailable, UserError
from samovar.image import private_root
from samovar.image.docker_save import is_docker_archive, read_docker_archive
from samovar.image.installed import SitePackages
from samovar.image.replay import read_said
from samovar.image.root_files import RootFiles

if TYPE_CHECKING:
    from pathlib import Path

SITE = "opt/venv/lib/python3.11/site-packages"


def install(root: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Install a distribution as pip does."""
    site = root / SITE
    lines = []
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    everything = {**files, f"{info}/METADATA": f"Name: {name}\nVersion: {version}\n\nText"}
    for path, text in everything.items():
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        lines.append(f"{path},sha256={digest.rstrip(b'=').decode()},{len(text)}")
    (site / info / "RECORD").write_text("\n".join([*lines, f"{info}/RECORD,,"]) + "\n")


def package(name: str, version: str) -> LockedPackage:
    return LockedPackage(name=name, version=version, marker=None, wheels=(), sdist=None)


def looked_at(root: Path) -> SitePackages:
    return SitePackages(RootFiles(root), SITE)


def test_what_is_installed_as_locked_is_no_mismatch(tmp_path: Path) -> None:
    install(tmp_path, "Foo.Bar", "1.0", {"foo/a.py": "1", "../../../bin/foo": "script"})
    site = looked_at(tmp_path)
    assert site.mismatches([package("foo-bar", "1.0.0")]) == []
    assert site.of_nobody() == ()


def test_what_is_absent_another_or_altered_is_named(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0", {"foo/a.py": "1", "foo/b.py": "2", "foo/c.py": "3"})
    install(tmp_path, "bar", "2.0", {"bar.py": "1"})
    (tmp_path / SITE / "foo/a.py").write_text("other")
    (tmp_path / SITE / "foo/b.py").unlink()
    (tmp_path / SITE / "evil.pth").write_text("import evil")
    site = looked_at(tmp_path)
    wanted = [package("foo", "1.0"), package("bar", "2.1"), package("absent", "3")]
    assert site.mismatches(wanted) == [
        Mismatch(
            name="foo",
            wanted="1.0",
            found="1.0",
            files=(f"{SITE}/foo/a.py", f"{SITE}/foo/b.py"),
        ),
        Mismatch(name="bar", wanted="2.1", found="2.0"),
        Mismatch(name="absent", wanted="3", found=None),
    ]
    assert site.of_nobody() == (f"{SITE}/evil.pth",)


def test_two_versions_at_once_are_none(tmp_path: Path) -> None:
    install(tmp_path, "foo", "1.0", {"foo/a.py": "1"})
    install(tmp_path, "foo", "2.0", {"foo/b.py": "1"})
    (found,) = looked_at(tmp_path).mismatches([package("foo", "1.0")])
    assert found.found == "1.0 and 2.0"


@pytest.mark.parametrize("record", [None, "", "foo/a.py,,\n", "foo/a.py,md5=x,1\n", '"foo'])
def test_a_record_that_says_nothing_is_no_proof(tmp_path: Path, record: str | None) -> None:
    install(tmp_path, "foo", "1.0", {"foo/a.py": "1"})
    file = tmp_path / SITE / "foo-1.0.dist-info" / "RECORD"
    file.unlink() if record is None else file.write_text(record)
    (found,) = looked_at(tmp_path).mismatches([package("foo", "1.0")])
    assert found.files


def test_links_of_the_image_lead_to_no_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("of this machine")
    root = tmp_path / "root"
    (root / "srv").mkdir(parents=True)
    (root / "srv" / "file").write_text("of the image")
    (root / "direct").symlink_to(tmp_path / "secret" / "file")
    (root / "folder").symlink_to(tmp_path / "secret")
    files = RootFiles(root)
    assert files.digest("srv/file") == Digest.of(b"of the image")
    assert files.read("/srv/file", most_bytes=100) == b"of the image"
    assert files.read("srv/file", most_bytes=3) is None
    for path in ("direct", "folder/file", "srv/../../secret/file", "srv", "", "absent/file"):
        assert files.find(path) is None
    assert list(files.below("folder")) == []
    assert list(files.below("srv")) == ["srv/file"]


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def saved(*, config: object = None, layers: tuple[str, ...] = ("a/layer.tar",)) -> dict[str, bytes]:
    """Give the members of what old engines save, with one empty layer."""
    empty = bytes(10240)
    document = {"os": "linux", "rootfs": {"diff_ids": [str(Digest.of(empty))]}}
    entry = {"Config": "c.json", "RepoTags": None, "Layers": list(layers)}
    return {
        "manifest.json": json.dumps([entry]).encode(),
        "c.json": json.dumps(document if config is None else config).encode(),
        "a/layer.tar": empty,
    }


def test_what_docker_saves_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "saved.tar", saved())
    assert is_docker_archive(path)
    image = read_docker_archive(path, where="engine")
    image.unpack(tmp_path / "root")
    assert image.digest == Digest.of(saved()["c.json"])
    assert image.variables == {}


@pytest.mark.parametrize(
    "members",
    [
        {"manifest.json": b"{"},
        {"manifest.json": b"[1]"},
        saved(config={"rootfs": {"diff_ids": ["sha256:zz"]}}),
        saved(config=[]),
        saved(layers=()),
        {**saved(), "manifest.json": b'[{"Config": "absent", "Layers": []}]'},
    ],
)
def test_what_docker_did_not_save_is_damage(tmp_path: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(Damaged) as caught:
        read_docker_archive(archive(tmp_path / "saved.tar", members), where="archive")
    assert caught.value.hint


def test_several_images_in_one_archive_are_told(tmp_path: Path) -> None:
    path = archive(tmp_path / "saved.tar", {"manifest.json": b"[{}, {}]"})
    with pytest.raises(UserError):
        read_docker_archive(path, where="archive")


def test_a_layer_that_is_another_is_damage(tmp_path: Path) -> None:
    members = {**saved(), "a/layer.tar": bytes(20480)}
    image = read_docker_archive(archive(tmp_path / "saved.tar", members), where="archive")
    with pytest.raises(Damaged):
        image.unpack(tmp_path / "root")


def test_no_tar_file_is_no_docker_archive(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar")
    assert not is_docker_archive(tmp_path / "x.tar")


@pytest.mark.parametrize("said", [b"", b"no json", b"[]", b'{"code": 1}', b'{"code": -9}'])
def test_an_image_without_an_answer_is_told(said: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        read_said(said)
    assert caught.value.code == "child_died"


def test_answers_of_the_runtime_come_through() -> None:
    assert read_said(b'{"ok": {"outputs": []}}') == {"outputs": []}
    wrong = read_said(b'{"mismatches": [{"name": "a", "wanted": "1", "found": null}]}')
    assert wrong == Mismatched(mismatches=(Mismatch(name="a", wanted="1", found=None),))
    with pytest.raises(SamovarError):
        read_said(b'{"error": {"class": "Damaged", "message": "x"}}')


def test_a_private_root_is_furnished_whatever_the_image_has_there(tmp_path: Path) -> None:
    if private_root.why_not() is not None:
        pytest.skip(str(private_root.why_not()))
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (outside / "precious").write_text("1")
    root.mkdir()
    (root / "proc").symlink_to(outside)
    (root / "dev").write_text("a file")
    words = private_root.command(root, ["/bin/true"])
    assert words[-1] == "/bin/true"
    assert (outside / "precious").read_text() == "1"
    assert not (root / "proc").is_symlink()
    assert (root / "dev" / "shm").is_dir()


def test_mismatches_are_words() -> None:
    assert str(Mismatch(name="a", wanted="1", found=None)) == "a 1 is wanted, none was found"
    altered = Mismatch(name="a", wanted="1", found="1", files=("x", "y"))
    assert str(altered) == "a 1 was altered: x and 1 more"
    assert altered.to_json()["files"] == ["x", "y"]
