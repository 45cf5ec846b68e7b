"""An image's first process, and making a base.lock anew from a signed archive."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.processes import need
from samovar.core.numerics import pinned_variables
from samovar.env.runtime_folder import copy_code
from samovar.errors import Damaged, Unavailable
from samovar.image import refresh
from samovar.image.refresh import make_lock
from samovar.runtime import start


@pytest.fixture
def haswell(monkeypatch):
    monkeypatch.setattr(start, "_flags", lambda: {"avx2", "fma", "bmi2"})
    monkeypatch.setattr(start.os, "uname", lambda: type("U", (), {"machine": "x86_64"}))


def test_the_receipts_arithmetic_is_pinned_where_the_processor_holds_it(haswell):
    assert start.numeric_variables("x86-64-v3", {}) == pinned_variables("x86-64-v3")


def test_native_arithmetic_uses_as_many_threads_as_the_limit_allows(haswell, monkeypatch):
    monkeypatch.setattr(start, "usable_cpus", lambda: 3)
    asked = {"SAMOVAR_NUMERICS": "native", "MKL_NUM_THREADS": "1"}
    chosen = start.numeric_variables("x86-64-v3", asked)
    assert chosen["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_CORETYPE" not in chosen
    assert "MKL_NUM_THREADS" not in chosen


def test_an_older_processor_is_not_told_to_use_what_it_lacks(monkeypatch):
    monkeypatch.setattr(start, "_flags", set)
    assert "OPENBLAS_CORETYPE" not in start.numeric_variables("x86-64-v3", {})


@pytest.mark.skipif(os.name == "nt", reason="images run on Linux")
def test_the_first_process_becomes_the_one_it_is_told_to_begin(tmp_path):
    runtime = tmp_path / "runtime"
    copy_code(runtime)
    result = tmp_path / "result.json"
    then = {
        "verb": "replay",
        "bundle": str(tmp_path),
        "wanted": {"python": "2.7"},
        "result": str(result),
    }
    (tmp_path / "job.json").write_text(json.dumps(then))
    first = {"verb": "start", "bundle": str(tmp_path), "then": str(tmp_path / "job.json")}
    (tmp_path / "start.json").write_text(json.dumps(first))
    command = [sys.executable, "-X", "utf8", "-s", runtime / "boot" / "boot.py"]
    subprocess.run([*command, tmp_path / "start.json"], check=False)
    (mismatch,) = json.loads(result.read_text())["mismatches"]
    assert (mismatch["name"], mismatch["wanted"]) == ("python", "2.7")


PACKAGES = {
    "base-files": "",
    "netbase": "",
    "ca-certificates": "openssl (>= 1.1.1), debconf (>= 0.5) | debconf-2.0",
    "tzdata": "",
    "libc6": "libgcc-s1, libcrypt1",
    "libcrypt1": "libc6",
    "libgcc-s1": "libc6",
    "libstdc++6": "libc6, libgcc-s1",
    "libgomp1": "libc6",
    "python3.11-minimal": "libpython3.11-minimal (= 1), libexpat1 (>= 2), zlib1g-virtual",
    "libpython3.11-minimal": "",
    "libpython3.11-stdlib": "libc6, absent | libexpat1, media-types",
    "libexpat1": "",
    "zlib1g": "",
    "unrelated": "",
}


def packages_text() -> str:
    stanzas = []
    for name, depends in PACKAGES.items():
        lines = [f"Package: {name}", "Version: 2.36-9", "Architecture: all"]
        lines += [f"Depends: {depends}"] if depends else []
        lines += ["Provides: zlib1g-virtual"] if name == "zlib1g" else []
        lines += [f"Filename: pool/main/{name}.deb", f"SHA256: {'a' * 64}", "Size: 10"]
        stanzas.append("\n".join(lines))
    return "\n\n".join(stanzas) + "\n"


@pytest.fixture
def archive(monkeypatch):
    """An archive in memory, its signature already looked at."""
    listed = lzma.compress(packages_text().encode())
    monkeypatch.setattr(refresh, "archives", lambda: {"debian": "d", "debian-security": "s"})
    digest = hashlib.sha256(listed).hexdigest()
    names = [f"main/binary-{name}/Packages.xz" for name in ("amd64", "arm64")]
    lines = "\n".join(f" {digest} {len(listed)} {name}" for name in names)
    release = (
        "Version: 12.9\nDate: Sat, 11 Jul 2026 10:16:37 UTC\nMD5Sum:\n x\nSHA256:\n" + lines + "\n"
    )
    monkeypatch.setattr(refresh, "_verified", lambda _place, _keyring: release)
    served = {"data": listed}
    monkeypatch.setattr(refresh, "get_bytes", lambda *_a, **_k: served["data"])
    return served


def test_a_lock_is_the_closure_of_what_a_base_needs(archive):
    lock = make_lock("sid", "3.11", keyring=Path("none"))
    names = {package.name for package in lock.packages["linux/arm64"]}
    assert names == set(PACKAGES) - {"unrelated"}
    assert (str(lock.libc), lock.release, lock.date) == (
        "glibc 2.36",
        "12.9",
        "2026-07-11T10:16:37Z",
    )
    layers = {package.name: package.layer for package in lock.packages["linux/amd64"]}
    assert layers["libexpat1"] == layers["python3.11-minimal"] == "interpreter"
    assert layers["libc6"] == "base"


def test_a_list_that_is_not_the_signed_one_is_refused(archive):
    archive["data"] = lzma.compress(b"Package: evil\n")
    with pytest.raises(Damaged, match="signed"):
        make_lock("sid", "3.11", keyring=Path("none"))


def test_a_suite_without_that_python_is_told_as_such(archive):
    with pytest.raises(Unavailable, match=r"python3\.12"):
        make_lock("sid", "3.12", keyring=Path("none"))


@pytest.mark.engine
def test_a_release_without_a_signature_is_refused(monkeypatch, tmp_path):
    need("gpgv", "apt install gpgv")
    keyring = tmp_path / "keys.gpg"
    keyring.touch()
    monkeypatch.setattr(refresh, "archives", lambda: {"debian": "d", "debian-security": "s"})
    monkeypatch.setattr(refresh, "get_bytes", lambda *_a, **_k: b"Origin: Debian\n")
    with pytest.raises(Damaged, match="signature"):
        make_lock("sid", "3.11", keyring=keyring)


def test_the_command_says_what_is_wrong_without_a_traceback(monkeypatch, tmp_path, capsys):
    def fail(*_arguments, **_options):
        raise Damaged("The signature does not hold.", hint="Try another mirror.")

    monkeypatch.setattr(refresh, "make_lock", fail)
    output = tmp_path / "x.lock"
    assert refresh.main(["--suite", "sid", "--python", "3.11", "-o", str(output)]) == 3
    assert "The signature does not hold." in capsys.readouterr().err
    assert not output.exists()
