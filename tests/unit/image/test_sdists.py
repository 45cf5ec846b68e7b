"""A package without a wheel is built where the user asks for it, and sees nothing of the machine."""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
import zipfile
from pathlib import Path

import pytest

from samovar.env.lock import LockedFile, LockedPackage
from samovar.errors import SamovarError, Unavailable
from samovar.image.platform import Libc
from samovar.image.private_root import has_namespaces
from samovar.image.sdists import build_sdist
from samovar.store.home import Home

GLIBC = Libc(name="glibc", major=2, minor=99)
MINOR = ".".join(platform.python_version_tuple()[:2])
CURIOUS = """
import os, socket, pathlib
from setuptools import setup

def tried(action):
    try:
        return str(action() or "done")
    except OSError as error:
        return type(error).__name__

seen = {
    "secret": tried(lambda: pathlib.Path(%r).read_text()),
    "system": tried(lambda: pathlib.Path("/usr/planted").write_text("x")),
    "network": tried(lambda: socket.create_connection(("127.0.0.1", %d), 2)),
    "token": str(os.environ.get("MY_TOKEN")),
}
pathlib.Path("curious.py").write_text("seen = " + repr(seen))
setup(name="curious", version="1.0", py_modules=["curious"])
"""
needs_namespaces = pytest.mark.skipif(not has_namespaces(), reason="it needs user namespaces")


def package(home: Home, setup: str, *, name: str = "curious-1.0.tar.gz") -> LockedPackage:
    """Put a source into the cache, as if it had been downloaded."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in (("setup.py", setup), ("PKG-INFO", "Name: curious\nVersion: 1.0\n")):
            member = tarfile.TarInfo(f"curious-1.0/{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    data = out.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    (home.cache("wheels") / digest).write_bytes(data)
    source = LockedFile(name=name, url=None, path=None, sha256=digest, size_bytes=len(data))
    return LockedPackage(name="curious", version="1.0", marker=None, wheels=(), sdist=source)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@needs_namespaces
def test_a_build_reaches_no_file_no_network_and_no_secret_of_the_machine(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    secret = tmp_path / "secret"
    secret.write_text("of the user")
    monkeypatch.setenv("MY_TOKEN", "of the user")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        setup = CURIOUS % (str(secret), listening.getsockname()[1])
        built = build_sdist(home, package(home, setup), MINOR, GLIBC, lambda _text: None)
    assert built.name == "curious-1.0-py3-none-any.whl"
    wheel = home.cache("wheels") / built.sha256
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == built.sha256
    seen: dict[str, dict[str, str]] = {}
    exec(zipfile.ZipFile(wheel).read("curious.py"), seen)
    assert seen["seen"]["secret"] == "FileNotFoundError"
    assert seen["seen"]["system"] in {"OSError", "PermissionError"}
    assert seen["seen"]["network"] in {"OSError", "ConnectionRefusedError"}
    assert seen["seen"]["token"] == "None"
    assert not Path("/usr/planted").exists()
    # The same source is built once.
    assert build_sdist(home, package(home, setup), MINOR, GLIBC, lambda _text: None) == built


@needs_namespaces
def test_a_build_that_fails_says_why(home: Home) -> None:
    failing = package(home, "raise SystemExit('no compiler for this')")
    with pytest.raises(Unavailable) as caught:
        build_sdist(home, failing, MINOR, GLIBC, lambda _text: None)
    assert caught.value.code == "build_failed"
    assert "no compiler for this" in str(caught.value)


@pytest.mark.parametrize("name", ["curious-1.0.zip", None])
def test_what_cannot_be_built_is_refused(home: Home, name: str | None) -> None:
    wanted = package(home, "", name=name or "x.tar.gz")
    if name is None:
        wanted = LockedPackage(name="curious", version="1.0", marker=None, wheels=(), sdist=None)
    with pytest.raises(SamovarError) as caught:
        build_sdist(home, wanted, MINOR, GLIBC, lambda _text: None)
    assert caught.value.code == "no_wheel"
    assert caught.value.hint
