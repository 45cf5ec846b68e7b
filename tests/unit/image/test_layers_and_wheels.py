"""Wheels become layers: the same bytes everywhere, RECORD true, hostile ones refused."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import posixpath
import random
import stat
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution

import pytest

from samovar.core.digest import Digest
from samovar.core.tar import TarMember
from samovar.errors import Damaged, Refused
from samovar.image.layer import CARRIED_BYTES, store_layer
from samovar.image.layer_cache import cached_layer
from samovar.image.scheme import Scheme, WheelSource
from samovar.image.wheel import wheel_members
from samovar.store.home import Home
from samovar.store.layout import Store
from unit.image.wheels import layer_files, make_wheel, open_layer

SITE = "opt/venv/lib/python3.11/site-packages"
SCHEME = Scheme.environment("3.11")
LARGE = bytes(random.Random(7).choices(b"abcdefgh", k=5 * CARRIED_BYTES))


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def source(path, **fields) -> WheelSource:
    return WheelSource(path=path, **{"name": "demo", "version": "1.0", **fields})


def unpack(tmp_path, store, files, **options):
    wheel = make_wheel(tmp_path, files, **options)
    return store_layer(store, wheel_members(source(wheel), SCHEME), "demo")


def test_files_go_into_site_packages_with_their_content(tmp_path, store):
    files = {"demo/__init__.py": b"x = 1\n", "demo/large.bin": LARGE, "demo/empty.py": b""}
    found = layer_files(store, unpack(tmp_path, store, files))
    assert {path: found[f"{SITE}/{path}"] for path in files} == files


def test_record_names_every_file_with_its_true_digest_and_size(tmp_path, store):
    files = {
        "demo/__init__.py": b"x = 1\n",
        "demo/large.bin": LARGE,
        "demo-1.0.data/scripts/tool": b"#!python\nprint(1)\n",
        "demo-1.0.data/data/share/demo.txt": b"data",
        "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo = demo:main\n",
    }
    found = layer_files(store, unpack(tmp_path, store, files))
    rows = list(csv.reader(io.StringIO(found[f"{SITE}/demo-1.0.dist-info/RECORD"].decode())))
    assert rows[-1] == ["demo-1.0.dist-info/RECORD", "", ""]
    recorded = set()
    for path, digest, size in rows[:-1]:
        place = posixpath.normpath(f"{SITE}/{path}")
        content = found[place]
        expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert (digest, int(size)) == (f"sha256={expected}", len(content))
        recorded.add(place)
    assert recorded == set(found) - {f"{SITE}/demo-1.0.dist-info/RECORD"}


def test_importlib_reads_what_was_unpacked(tmp_path, store):
    layer = unpack(tmp_path, store, {"demo/__init__.py": b"x = 1\n"})
    with open_layer(store, layer) as archive:
        for member in archive:
            archive.extract(member, tmp_path / "root", set_attrs=False, filter="fully_trusted")
    distribution = Distribution.at(tmp_path / "root" / SITE / "demo-1.0.dist-info")
    assert distribution.version == "1.0"
    assert distribution.read_text("INSTALLER") == "samovar\n"
    assert all(file.locate().exists() for file in distribution.files or ())


def test_console_scripts_start_the_images_python_and_run(tmp_path, store):
    entry = b"[console_scripts]\ndemo-tool = demo.sub:App.main\n"
    layer = unpack(tmp_path, store, {"demo-1.0.dist-info/entry_points.txt": entry})
    script = layer_files(store, layer)["opt/venv/bin/demo-tool"].decode()
    assert script.startswith("#!/opt/venv/bin/python\n")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "__init__.py").touch()
    (tmp_path / "demo" / "sub.py").write_text("class App:\n    main = staticmethod(lambda: 7)\n")
    (tmp_path / "tool.py").write_text(script)
    assert subprocess.run([sys.executable, tmp_path / "tool.py"], check=False).returncode == 7
    with open_layer(store, layer) as archive:
        assert archive.getmember("opt/venv/bin/demo-tool").mode == 0o755


def test_byte_code_of_the_wheel_is_left_out(tmp_path, store):
    files = {"demo/a.py": b"", "demo/__pycache__/a.cpython-311.pyc": b"\0"}
    found = layer_files(store, unpack(tmp_path, store, files))
    assert not [path for path in found if path.endswith(".pyc")]


def test_a_direct_reference_is_recorded_and_an_index_is_not(tmp_path):
    wheel = make_wheel(tmp_path, {})
    direct = source(wheel, direct_url={"url": "file:///srv/wheels/demo.whl", "archive_info": {}})
    paths = [member.path for member in wheel_members(direct, SCHEME)]
    assert f"{SITE}/demo-1.0.dist-info/direct_url.json" in paths
    plain = [member.path for member in wheel_members(source(wheel), SCHEME)]
    assert f"{SITE}/demo-1.0.dist-info/direct_url.json" not in plain


def test_only_programs_are_executable_and_owners_leave_no_trace(tmp_path, store):
    layer = unpack(
        tmp_path, store, {"a/run": b"#!", "a/b.py": b""}, executable=frozenset({"a/run"})
    )
    with open_layer(store, layer) as archive:
        members = {member.name: member for member in archive}
    assert members[f"{SITE}/a/run"].mode == 0o755
    assert members[f"{SITE}/a/b.py"].mode == 0o644
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members.values()} == {
        (0, 0, "", "", 0)
    }
    assert list(members) == sorted(members)


def test_large_files_are_carried_over_without_compressing_them_again(tmp_path, store):
    wheel = make_wheel(tmp_path, {"demo/large.bin": LARGE})
    layer = store_layer(store, wheel_members(source(wheel), SCHEME), "demo")
    with zipfile.ZipFile(wheel) as archive:
        info = archive.getinfo("demo/large.bin")
    start = info.header_offset + 30 + len(info.filename)
    stream = wheel.read_bytes()[start : start + info.compress_size]
    assert stream in store.blob_path(layer.descriptor.digest).read_bytes()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, CARRIED_BYTES - 1, CARRIED_BYTES])
def test_digest_and_diff_id_are_those_of_the_bytes(tmp_path, store, size):
    layer = unpack(tmp_path, store, {"demo/data.bin": LARGE[:size]})
    data = store.blob_path(layer.descriptor.digest).read_bytes()
    assert Digest.of(data) == layer.descriptor.digest
    assert Digest.of(gzip.decompress(data)) == layer.diff_id
    assert layer.descriptor.size_bytes == len(data)


def test_the_order_of_members_does_not_matter(store):
    members = [TarMember(path=f"d/{n}", data=str(n).encode()) for n in range(20)]
    shuffled = random.Random(3).sample(members, len(members))
    assert store_layer(store, members, "a").diff_id == store_layer(store, shuffled, "a").diff_id


def test_a_stored_wheel_gives_the_same_content(tmp_path, store):
    files = {"demo/large.bin": LARGE}
    plain = unpack(tmp_path, store, files, stored=True)
    assert layer_files(store, plain)[f"{SITE}/demo/large.bin"] == LARGE


def test_a_layer_is_made_once_and_again_when_its_blob_is_gone(tmp_path, store):
    home, calls = Home(tmp_path / "home"), []

    def make():
        calls.append(1)
        return store_layer(store, [TarMember(path="a", data=b"x")], "a")

    first, made = cached_layer(home, store, {"kind": "test"}, make)
    assert made
    assert cached_layer(home, store, {"kind": "test"}, make) == (first, False)
    store.blob_path(first.descriptor.digest).unlink()
    assert cached_layer(home, store, {"kind": "test"}, make) == (first, True)
    assert len(calls) == 2


# Hostile wheels


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/passwd", "demo/../../evil", "a\\b", "C:/evil", "demo//x", "./x"]
)
def test_a_path_that_leaves_its_folder_is_refused(tmp_path, path):
    wheel = make_wheel(tmp_path, {path: b"x"})
    with pytest.raises(Refused, match="not a plain relative path") as caught:
        wheel_members(source(wheel), SCHEME)
    assert caught.value.code == "hostile_wheel"


def test_a_symbolic_link_is_refused(tmp_path):
    wheel = make_wheel(tmp_path, {})
    with zipfile.ZipFile(wheel, "a") as archive:
        entry = zipfile.ZipInfo("demo/link")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(Refused, match="is a link"):
        wheel_members(source(wheel), SCHEME)


def test_a_name_that_stands_twice_is_refused(tmp_path):
    wheel = make_wheel(tmp_path, {"demo/a.py": b"1"})
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("demo/a.py", b"2")
    with pytest.raises(Refused, match="twice"):
        wheel_members(source(wheel), SCHEME)


def test_a_file_that_record_tells_otherwise_is_refused(tmp_path, store):
    with pytest.raises(Refused, match="RECORD"):
        unpack(tmp_path, store, {"demo/a.py": b"evil"}, record={"demo/a.py": b"good"})


def test_a_wheel_of_another_distribution_is_refused(tmp_path):
    wheel = make_wheel(tmp_path, {}, name="other")
    with pytest.raises(Refused, match="not of demo"):
        wheel_members(source(wheel), SCHEME)


@pytest.mark.parametrize("entry", ["../sh = demo:main", "x = demo", "x = demo:main; import os"])
def test_a_malformed_entry_point_is_refused(tmp_path, entry):
    text = f"[console_scripts]\n{entry}\n".encode()
    wheel = make_wheel(tmp_path, {"demo-1.0.dist-info/entry_points.txt": text})
    with pytest.raises(Refused, match="malformed"):
        wheel_members(source(wheel), SCHEME)


def test_an_unknown_scheme_is_refused(tmp_path):
    wheel = make_wheel(tmp_path, {"demo-1.0.data/etc/y": b""})
    with pytest.raises(Refused):
        wheel_members(source(wheel), SCHEME)


def test_a_flipped_byte_is_found(tmp_path, store):
    wheel = make_wheel(tmp_path, {"demo/large.bin": LARGE})
    data = bytearray(wheel.read_bytes())
    data[200] ^= 1
    wheel.write_bytes(data)
    with pytest.raises((Damaged, Refused)):
        store_layer(store, wheel_members(source(wheel), SCHEME), "demo")
    assert not any(store.blobs.iterdir())


@pytest.mark.parametrize("keep", [0, 10, 100, -30])
def test_a_cut_off_wheel_is_damaged(tmp_path, keep):
    wheel = make_wheel(tmp_path, {"demo/large.bin": LARGE})
    wheel.write_bytes(wheel.read_bytes()[:keep])
    with pytest.raises(Damaged):
        wheel_members(source(wheel), SCHEME)


def test_a_length_that_lies_is_found(tmp_path, store):
    wheel = make_wheel(tmp_path, {"demo/large.bin": LARGE})
    data = wheel.read_bytes()
    real, lie = len(LARGE).to_bytes(4, "little"), (len(LARGE) - 5).to_bytes(4, "little")
    wheel.write_bytes(data.replace(real, lie))
    with pytest.raises(Damaged):
        store_layer(store, wheel_members(source(wheel), SCHEME), "demo")


def test_two_headers_that_disagree_are_damaged(tmp_path):
    wheel = make_wheel(tmp_path, {"demo/a.py": b"1"})
    data = wheel.read_bytes()
    at = data.index(b"demo/a.py")
    wheel.write_bytes(data[:at] + b"demo/b.py" + data[at + 9 :])
    with pytest.raises(Damaged, match="two things"):
        wheel_members(source(wheel), SCHEME)
