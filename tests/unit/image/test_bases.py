"""Bases out of Debian packages and out of other people's images, read and never run."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from samovar.core import media_types
from samovar.core.descriptor import Descriptor, Platform
from samovar.core.digest import Digest
from samovar.core.manifest import Index, Manifest, describe
from samovar.errors import Damaged, EnvironmentMismatch, Unavailable, UserError
from samovar.image.base import debian_base
from samovar.image.base_choice import choose_base
from samovar.image.base_lock import BaseLock, LockedDeb
from samovar.image.deb import read_deb
from samovar.image.platform import Libc
from samovar.store.home import Home
from samovar.store.layout import Store
from unit.image.wheels import layer_files, open_layer

QUIET = lambda _text: None  # noqa: E731 - progress that nobody reads


def tar_of(entries: dict[str, bytes | str | None], *, hard: dict[str, str] | None = None) -> bytes:
    """Make a tar file: bytes are files, texts are symbolic links, None is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if "bin/" in name else 0o644
            if content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        for name, target in (hard or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.LNKTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def deb_of(data: bytes, *, name: str = "data.tar.xz") -> bytes:
    """Make a Debian package around the archive of its files."""
    packed = lzma.compress(data) if name.endswith(".xz") else data
    members = [("debian-binary", b"2.0\n"), ("control.tar.xz", b""), (name, packed)]
    made = b"!<arch>\n"
    for member, content in members:
        made += f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        made += content + b"\n" * (len(content) % 2)
    return made


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def base_of(home: Home, *debs: tuple[str, bytes, str]) -> BaseLock:
    packages = []
    for name, data, layer in debs:
        digest = Digest.of(data).hex
        (home.cache("debs") / digest).write_bytes(data)
        packages.append(
            LockedDeb(
                name=name,
                version="1:2-3",
                archive="debian",
                path=f"pool/main/{name}.deb",
                sha256=digest,
                size_bytes=len(data),
                layer=layer,
            )
        )
    return BaseLock(
        suite="test",
        release="1",
        date="2026-01-01T00:00:00Z",
        python="3.11",
        libc=Libc(name="glibc", major=2, minor=36),
        packages={"linux/amd64": tuple(packages)},
    )


def test_a_package_is_unpacked_with_merged_usr_and_hard_links(tmp_path):
    data = tar_of(
        {
            "./": None,
            "./lib/x/libc.so.6": b"elf",
            "./usr/bin/tool": b"#!",
            "./lib/x/l": "libc.so.6",
        },
        hard={"./usr/share/copy": "./usr/bin/tool"},
    )
    file = tmp_path / "x.deb"
    file.write_bytes(deb_of(data))
    found = {one.path: one for one in read_deb(file)}
    assert found["usr/lib/x/libc.so.6"].data == b"elf"
    assert found["usr/lib/x/l"].link == "libc.so.6"
    assert found["usr/bin/tool"].executable
    assert found["usr/share/copy"].data == b"#!"


@pytest.mark.parametrize("data", [b"", b"not a package", b"!<arch>\n" + b"x" * 60])
def test_something_else_is_no_package(tmp_path, data):
    file = tmp_path / "x.deb"
    file.write_bytes(data)
    with pytest.raises(Damaged):
        list(read_deb(file))


def test_a_package_whose_paths_leave_the_root_is_damaged(tmp_path):
    file = tmp_path / "x.deb"
    file.write_bytes(deb_of(tar_of({"../evil": b""})))
    with pytest.raises(Damaged):
        list(read_deb(file))


def test_a_base_has_no_shell_no_documents_and_all_certificates(home, store):
    files = {
        "./bin/sh": b"shell",
        "./usr/bin/dpkg": b"",
        "./usr/share/doc/x/copyright": b"",
        "./usr/share/man/man1/x.1": b"",
        "./usr/share/locale/de/x.mo": b"",
        "./usr/share/ca-certificates/mozilla/B.crt": b"B\n",
        "./usr/share/ca-certificates/mozilla/A.crt": b"A",
        "./usr/share/zoneinfo/UTC": b"tz",
        "./etc/os-release": "../usr/lib/os-release",
        "./etc/shadow": b"",
        "./lib/x86_64-linux-gnu/libc.so.6": b"elf",
        "./var/lib/dpkg/status": b"",
    }
    lock = base_of(home, ("libc6", deb_of(tar_of(files)), "base"))
    base = debian_base(home, store, lock, "linux/amd64", QUIET)
    found = layer_files(store, base.layers[0])
    assert found["etc/ssl/certs/ca-certificates.crt"] == b"A\nB\n"
    assert "usr/share/zoneinfo/UTC" in found
    assert "usr/lib/x86_64-linux-gnu/libc.so.6" in found
    assert b"65532" in found["etc/passwd"]
    gone = ("usr/bin/", "usr/share/doc", "usr/share/man", "usr/share/locale", "etc/shadow", "var/")
    assert not [path for path in found if path.startswith(gone)]
    with open_layer(store, base.layers[0]) as archive:
        assert {name: archive.getmember(name).linkname for name in ("bin", "lib", "lib64")} == {
            "bin": "usr/bin",
            "lib": "usr/lib",
            "lib64": "usr/lib64",
        }
    assert base.components[0].purl == "pkg:deb/debian/libc6@1%3A2-3?arch=amd64&distro=test"
    assert base.built == 2
    assert debian_base(home, store, lock, "linux/amd64", QUIET).built == 0


def test_a_missing_package_offline_says_so(home, store, monkeypatch):
    lock = base_of(home, ("libc6", deb_of(tar_of({})), "base"))
    for file in home.cache("debs").iterdir():
        file.unlink()
    monkeypatch.setenv("SAMOVAR_OFFLINE", "1")
    monkeypatch.setenv("SAMOVAR_DEBIAN_MIRROR", "http://mirror.example/debian")
    with pytest.raises(Unavailable, match="switched off"):
        debian_base(home, store, lock, "linux/amd64", QUIET)


def test_a_package_that_the_mirror_dropped_says_what_to_do(home, store, monkeypatch):
    lock = base_of(home, ("libc6", deb_of(tar_of({})), "base"))
    for file in home.cache("debs").iterdir():
        file.unlink()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}/debian"
        monkeypatch.setenv("SAMOVAR_DEBIAN_MIRROR", host)
        with pytest.raises(Unavailable, match=r"libc6\.deb") as caught:
            debian_base(home, store, lock, "linux/amd64", QUIET)
        server.shutdown()
    assert "404" in str(caught.value)
    assert "snapshot of 2026-01-01" in (caught.value.hint or "")


class _Nothing(BaseHTTPRequestHandler):
    """A mirror that has nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def layout_of(folder, *layers: bytes, env=("PATH=/usr/local/bin:/usr/bin",), platform="amd64"):
    """Write an OCI layout with one image."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> Digest:
        (blobs / Digest.of(data).hex).write_bytes(data)
        return Digest.of(data)

    descriptors = []
    for layer in layers:
        data = gzip.compress(layer, mtime=0)
        descriptors.append(
            Descriptor(
                media_type=media_types.OCI_LAYER_GZIP, digest=put(data), size_bytes=len(data)
            )
        )
    config = json.dumps(
        {
            "os": "linux",
            "architecture": platform,
            "config": {"Env": list(env)},
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer)) for layer in layers]},
        }
    ).encode()
    manifest = Manifest(
        config=Descriptor(
            media_type=media_types.OCI_CONFIG, digest=put(config), size_bytes=len(config)
        ),
        layers=tuple(descriptors),
    )
    descriptor, data = describe(manifest)
    put(data)
    listed = Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size_bytes=descriptor.size_bytes,
        platform=Platform(os="linux", architecture=platform),
    )
    (folder / "index.json").write_bytes(Index(manifests=(listed,)).to_bytes())
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return folder


GLIBC = {
    "usr/lib/x86_64-linux-gnu/libc.so.6": b"..GNU C Library (Debian GLIBC 2.41-12) stable release "
    b"version 2.41.\n..",
    "usr/local/bin/python3.11": b"elf",
    "usr/local/bin/python3": "python3.11",
    "usr/bin/python3.13": b"elf",
}
MUSL = {
    "lib/ld-musl-x86_64.so.1": b"elf",
    "lib/apk/db/installed": b"P:busybox\nV:1.36.1-r2\n\nP:musl\nV:1.2.5-r9\n",
    "usr/local/bin/python3.11": b"elf",
}


def test_an_images_libc_and_python_are_read_out_of_its_layers(tmp_path, home, store):
    folder = layout_of(tmp_path / "image", tar_of(GLIBC), env=("PATH=/usr/bin", "GPG_KEY=A"))
    base = choose_base(home, store, str(folder), "3.11", "linux/amd64", QUIET)
    assert str(base.libc) == "glibc 2.41"
    assert base.python == "/usr/local/bin/python3.11"
    assert base.variables == {"PATH": "/usr/bin", "GPG_KEY": "A"}
    assert base.layers[0].diff_id == Digest.of(tar_of(GLIBC))
    assert store.has_blob(base.layers[0].descriptor.digest)
    other = choose_base(home, store, str(folder), "3.13", "linux/amd64", QUIET)
    assert other.python == "/usr/bin/python3.13"


def test_an_alpine_image_has_musl(tmp_path, home, store):
    folder = layout_of(tmp_path / "image", tar_of(MUSL))
    base = choose_base(home, store, str(folder), "3.11", "linux/amd64", QUIET)
    assert str(base.libc) == "musl 1.2"


def test_a_later_layer_may_take_the_python_away(tmp_path, home, store):
    gone = tar_of({"usr/local/bin/.wh.python3.11": b""})
    folder = layout_of(tmp_path / "image", tar_of(GLIBC), gone)
    with pytest.raises(EnvironmentMismatch) as caught:
        choose_base(home, store, str(folder), "3.11", "linux/amd64", QUIET)
    assert caught.value.code == "wrong_python"
    assert "3.13" in str(caught.value)


def test_a_base_for_another_platform_names_its_own(tmp_path, home, store):
    folder = layout_of(tmp_path / "image", tar_of(GLIBC), platform="s390x")
    with pytest.raises(UserError, match="linux/s390x"):
        choose_base(home, store, str(folder), "3.11", "linux/amd64", QUIET)


def test_a_base_without_a_known_libc_is_refused(tmp_path, home, store):
    folder = layout_of(tmp_path / "image", tar_of({"usr/bin/python3.11": b""}))
    with pytest.raises(UserError) as caught:
        choose_base(home, store, str(folder), "3.11", "linux/amd64", QUIET)
    assert caught.value.code == "unknown_libc"


def test_an_altered_blob_of_a_layout_is_refused(tmp_path, home, store):
    folder = layout_of(tmp_path / "image", tar_of(GLIBC))
    largest = max((folder / "blobs" / "sha256").iterdir(), key=lambda p: p.stat().st_size)
    largest.write_bytes(b"x" + largest.read_bytes()[1:])
    with pytest.raises(Damaged):
        choose_base(home, store, str(folder), "3.11", "linux/amd64", QUIET)


def test_a_base_lock_of_another_python_is_refused(tmp_path, home, store):
    file = tmp_path / "mine.base.lock"
    file.write_text(base_of(home, ("libc6", deb_of(tar_of({})), "base")).to_text())
    with pytest.raises(EnvironmentMismatch, match=r"3\.11"):
        choose_base(home, store, str(file), "3.13", "linux/amd64", QUIET)
    with pytest.raises(UserError, match="not for linux/arm64"):
        choose_base(home, store, str(file), "3.11", "linux/arm64", QUIET)
