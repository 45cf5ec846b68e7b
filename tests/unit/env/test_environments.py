"""Environments that fail half way, that two processes want at once, and that lack packages."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from samovar.env.blas import blas_facts
from samovar.env.lock import Lock
from samovar.env.machine import cpu_flags, flags_of_sysctl, machine_facts
from samovar.env.runtime_folder import code_files, copy_code
from samovar.env.venv import cached_venv, make_venv
from samovar.errors import Offline, Unavailable, UserError
from wheels import make_wheel


def lock_of(folder: Path, *names: str) -> tuple[Lock, Path]:
    """Make a lock whose wheels travel with it."""
    tables = []
    for name in names:
        wheel = make_wheel(folder, name, "1.0")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        tables.append(
            f'[[packages]]\nname = "{name}"\nversion = "1.0"\nwheels = [{{ name = "{wheel.name}", '
            f'path = "wheels/{wheel.name}", hashes = {{ sha256 = "{digest}" }} }}]\n'
        )
    text = 'lock-version = "1.0"\ncreated-by = "test"\n' + "".join(tables)
    return Lock.from_bytes(text.encode()), folder


def quiet(_text: str) -> None:
    """Say nothing."""


def test_an_environment_that_fails_half_way_leaves_no_folder(tmp_path, python):
    lock, wheels = lock_of(tmp_path / "wheels", "base")
    make_wheel(wheels, "base", "1.0", body="other = 1\n")
    with pytest.raises(Unavailable):
        make_venv(lock, python, tmp_path / "venv", wheels=wheels, offline=True, progress=quiet)
    assert not (tmp_path / "venv").exists()


def test_samovars_own_environment_is_never_emptied(tmp_path, python):
    lock, wheels = lock_of(tmp_path / "wheels", "base")
    with pytest.raises(UserError) as caught:
        make_venv(lock, python, Path(sys.prefix), wheels=wheels, offline=True, progress=quiet)
    assert caught.value.code == "own_environment"


def test_offline_every_missing_package_is_named_at_once(tmp_path, python, monkeypatch):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    lock, wheels = lock_of(tmp_path / "wheels", "base")
    absent = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "3.0"\nwheels = [{{ url = "https://i.example/'
        f'{name}-3.0-py3-none-any.whl", hashes = {{ sha256 = "{"0" * 64}" }} }}]\n'
        for name in ("absent", "gone")
    )
    lock = Lock.from_bytes(lock.data + absent.encode())
    with pytest.raises(Offline) as caught:
        make_venv(lock, python, tmp_path / "venv", wheels=wheels, offline=True, progress=quiet)
    assert "absent 3.0, gone 3.0" in caught.value.message
    assert "base" not in caught.value.message


MAKE = """
import sys
from pathlib import Path
from samovar.env.interpreters import probe
from samovar.env.lock import Lock
from samovar.env.venv import cached_venv
root = Path(sys.argv[1])
lock = Lock.from_bytes((root / "pylock.toml").read_bytes())
venv = cached_venv(root / "envs", lock, probe(Path(sys.executable)), wheels=root / "wheels",
                   offline=True, progress=print)
print(venv.path)
"""


def test_two_processes_at_once_make_one_environment(tmp_path):
    lock, _ = lock_of(tmp_path / "wheels", "base", "other")
    (tmp_path / "pylock.toml").write_bytes(lock.data)
    (tmp_path / "envs").mkdir()
    command = [sys.executable, "-c", MAKE, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=60)[0].splitlines() for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert said[0][-1] == said[1][-1]
    assert sum(line.startswith("Making") for lines in said for line in lines) == 1


def test_an_environment_that_was_cut_off_is_made_anew(tmp_path, python):
    lock, wheels = lock_of(tmp_path / "wheels", "base")
    envs = tmp_path / "envs"
    envs.mkdir()
    first = cached_venv(envs, lock, python, wheels=wheels, offline=True, progress=quiet)
    (first.path / ".samovar-ready").unlink()
    (first.interpreter.purelib / "base.py").unlink()
    again = cached_venv(envs, lock, python, wheels=wheels, offline=True, progress=quiet)
    assert (again.interpreter.purelib / "base.py").exists()


def test_the_runtimes_copy_holds_no_bytecode_and_nothing_of_other_rooms(tmp_path):
    copy_code(tmp_path / "copy")
    copied = {path.relative_to(tmp_path / "copy") for path in (tmp_path / "copy").rglob("*.*")}
    assert Path("boot/boot.py") in copied
    assert Path("samovar/errors.py") in copied
    assert not [path for path in copied if path.suffix == ".pyc"]
    rooms = {path.parts[1] for path in copied if path.parts[0] == "samovar"}
    assert {room for room in rooms if "." not in room} == {"core", "runtime"}
    assert code_files() == sorted(code_files())


def test_facts_of_this_machine_are_plain_values():
    facts = machine_facts()
    assert facts["cpus"] >= 1
    assert facts["architecture"]
    assert set(facts["cpu_flags"]) == cpu_flags()


def test_macos_features_are_read_like_linux_ones():
    text = "machdep.cpu.features: FPU FMA\nmachdep.cpu.leaf7_features: BMI2 AVX2\n"
    assert flags_of_sysctl(text) >= {"avx2", "fma", "bmi2"}


def test_the_kernel_of_blas_follows_the_variables(python):
    import os
    import platform

    found = blas_facts(python, {**os.environ, "OPENBLAS_CORETYPE": "Nehalem"})
    assert any(one.startswith("numpy: OpenBLAS") for one in found)
    if platform.machine() in {"x86_64", "AMD64"}:
        assert all("Nehalem" in one for one in found)
