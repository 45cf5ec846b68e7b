"""Which wheels, which layers, which base: pure decisions."""

from __future__ import annotations

import pytest

from samovar.core.digest import Digest
from samovar.env.lock import Lock
from samovar.errors import InvalidRequirements, Unavailable, UserError
from samovar.image.base_lock import BaseLock, known_base, lock_of_base, pinned_base
from samovar.image.mirror import archives
from samovar.image.plan import ALONE_BYTES, MOST_ALONE, Sized, plan_packages
from samovar.image.platform import MACHINES, Libc, checked_platforms, own_platform
from samovar.image.wheel_choice import choose_wheels

GLIBC = Libc(name="glibc", major=2, minor=36)
MUSL = Libc(name="musl", major=1, minor=2)


def lock(*wheels: str, sdist: str | None = None, digest: str = "0" * 64) -> Lock:
    lines = ['lock-version = "1.0"', 'created-by = "tests"', "[[packages]]", 'name = "demo"']
    lines.append('version = "1.0"')
    if sdist:
        lines.append(f'sdist = {{url = "https://h/{sdist}", hashes = {{sha256 = "{digest}"}}}}')
    for name in wheels:
        lines += ["[[packages.wheels]]", f'url = "https://h/{name}"']
        lines.append(f'hashes = {{sha256 = "{digest}"}}')
    return Lock.from_bytes("\n".join(lines).encode())


def chosen(*wheels: str, platform: str = "linux/amd64", minor: str = "3.11", libc: Libc = GLIBC):
    (wheel,) = choose_wheels(lock(*wheels), platform=platform, minor=minor, libc=libc)
    return wheel.file.name


PURE = "demo-1.0-py3-none-any.whl"
NEW = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
OLD = "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
STABLE = "demo-1.0-cp38-abi3-manylinux_2_17_x86_64.whl"
FUTURE = "demo-1.0-cp311-cp311-manylinux_2_40_x86_64.whl"
ON_MUSL = "demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"
ON_ARM = "demo-1.0-cp311-cp311-manylinux_2_17_aarch64.whl"


@pytest.mark.parametrize(
    ("wheels", "best"),
    [
        ([PURE], PURE),
        ([PURE, STABLE], STABLE),
        ([STABLE, OLD], OLD),
        ([OLD, NEW], NEW),
        ([NEW, FUTURE], NEW),
        ([OLD, ON_MUSL, ON_ARM], OLD),
        (["demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", PURE], PURE),
    ],
)
def test_the_most_fitting_wheel_is_chosen(wheels, best):
    assert chosen(*wheels) == best
    assert chosen(*reversed(wheels)) == best


def test_musl_takes_no_wheel_for_glibc():
    assert chosen(OLD, ON_MUSL, libc=MUSL) == ON_MUSL
    with pytest.raises(Unavailable):
        chosen(OLD, libc=MUSL)


def test_an_old_glibc_takes_no_wheel_for_a_newer_one():
    assert chosen(NEW, OLD, libc=Libc(name="glibc", major=2, minor=27)) == OLD


def test_another_architecture_needs_no_such_machine():
    assert chosen(OLD, ON_ARM, platform="linux/arm64") == ON_ARM


def test_a_missing_wheel_names_what_there_is_and_what_to_do():
    wanted = lock("demo-1.0-cp311-cp311-win_amd64.whl", ON_ARM, sdist="demo-1.0.tar.gz")
    with pytest.raises(Unavailable) as caught:
        choose_wheels(wanted, platform="linux/amd64", minor="3.11", libc=GLIBC)
    error = caught.value
    assert error.code == "no_wheel"
    assert "demo" in error.message
    assert "linux/amd64" in error.message
    assert "win_amd64" in str(error)
    assert "manylinux_2_17_aarch64" in str(error)
    assert "demo-1.0.tar.gz" in str(error)
    assert "pip wheel" in (error.hint or "")


def test_a_wheel_without_a_digest_is_no_choice():
    with pytest.raises(InvalidRequirements, match="no SHA-256"):
        choose_wheels(lock(PURE, digest=""), platform="linux/amd64", minor="3.11", libc=GLIBC)


MB = 1_000_000


@pytest.mark.parametrize(
    ("sizes", "layers"),
    [
        ({}, []),
        ({"flask": MB}, [("flask",)]),
        ({"scipy": 35 * MB, "numpy": 17 * MB}, [("scipy",), ("numpy",)]),
        ({"numpy": 17 * MB, "b": 1, "a": 2}, [("numpy",), ("a", "b")]),
        ({"b": ALONE_BYTES, "a": ALONE_BYTES}, [("a",), ("b",)]),
        ({"a": ALONE_BYTES - 1, "b": ALONE_BYTES}, [("b",), ("a",)]),
    ],
)
def test_large_packages_come_alone_and_first_the_small_ones_together(sizes, layers):
    wheels = [Sized(name=name, version="1", size_bytes=size) for name, size in sizes.items()]
    assert [group.names for group in plan_packages(wheels)] == layers
    assert plan_packages(wheels) == plan_packages(wheels[::-1])


def test_an_image_never_has_more_layers_than_an_engine_mounts():
    wheels = [Sized(name=f"p{n}", version="1", size_bytes=10 * MB) for n in range(300)]
    groups = plan_packages(wheels)
    assert len(groups) == MOST_ALONE + 1
    assert sum(len(group.names) for group in groups) == 300


def test_platforms_are_checked_and_sorted():
    assert checked_platforms(["linux/arm64", "linux/amd64", "linux/arm64"]) == tuple(MACHINES)
    assert checked_platforms([]) == (own_platform(),)
    with pytest.raises(UserError, match="windows/amd64"):
        checked_platforms(["windows/amd64"])


@pytest.mark.parametrize(("python", "suite"), [("3.11", "bookworm"), ("3.13", "trixie")])
def test_the_bases_pin_everything_and_name_no_mirror(python, suite):
    base = known_base(python)
    assert (base.python, base.suite) == (python, suite)
    assert set(base.packages) == set(MACHINES)
    for packages in base.packages.values():
        names = [package.name for package in packages]
        assert len(set(names)) == len(names)
        assert {"libc6", "ca-certificates", "tzdata", f"python{python}-minimal"} <= set(names)
        assert not {"dash", "bash", "dpkg", "apt", "perl-base", "coreutils"} & set(names)
        assert all(len(package.sha256) == 64 for package in packages)
        assert all(package.path.startswith("pool/") for package in packages)
        assert sum(package.size_bytes for package in packages) < 30_000_000
    assert "://" not in base.to_text()


def test_a_base_lock_is_read_as_it_was_written():
    base = known_base("3.11")
    again = BaseLock.from_text(base.to_text(), where="test")
    assert again == base
    assert again.digest == base.digest


@pytest.mark.parametrize("text", ["", "{}", '{"base": 2}', '{"base": 1, "suite": 1}', "[]"])
def test_something_else_is_no_base_lock(text):
    with pytest.raises(InvalidRequirements, match=r"not a base\.lock"):
        BaseLock.from_text(text, where="x.lock")


def test_a_python_that_debian_lacks_names_another_base():
    with pytest.raises(Unavailable) as caught:
        known_base("3.12")
    assert caught.value.code == "no_base"
    assert "python:3.12-slim" in (caught.value.hint or "")


def test_only_what_cannot_move_is_pinned(tmp_path):
    digest = str(Digest.of(b"x"))
    file = tmp_path / "mine.base.lock"
    file.write_text(known_base("3.11").to_text())
    assert pinned_base("debian", "3.11") == str(known_base("3.11").digest)
    assert pinned_base(str(file), "3.11") == str(known_base("3.11").digest)
    assert pinned_base(f"localhost:5000/python@{digest}", "3.11") == digest
    assert pinned_base("localhost:5000/python:3.11", "3.11") is None
    assert pinned_base(str(tmp_path), "3.11") is None
    assert lock_of_base("localhost:5000/python:3.11", "3.11") is None


def test_the_mirror_is_the_variable_or_what_apt_uses(tmp_path, monkeypatch):
    monkeypatch.delenv("SAMOVAR_DEBIAN_MIRROR", raising=False)
    monkeypatch.delenv("SAMOVAR_DEBIAN_SECURITY_MIRROR", raising=False)
    with pytest.raises(Unavailable) as caught:
        archives(tmp_path)
    assert caught.value.code == "no_mirror"
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "# URIs: http://commented.example/debian\nTypes: deb\nURIs: http://mirror.example/debian/\n"
        "Suites: trixie\n\nTypes: deb\nURIs: http://mirror.example/debian-security\n"
    )
    assert archives(tmp_path) == {
        "debian": "http://mirror.example/debian",
        "debian-security": "http://mirror.example/debian-security",
    }
    monkeypatch.setenv("SAMOVAR_DEBIAN_MIRROR", "https://snap.example/archive/debian/2026/")
    assert archives(tmp_path)["debian-security"] == (
        "https://snap.example/archive/debian-security/2026"
    )
