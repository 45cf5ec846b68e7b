"""What a lock keeps of folders, patch versions and withdrawn files; what it answers."""

import http.server
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest

from samovar.env.answers import unanswered
from samovar.env.local_packages import build_wheel, wheels_of_lock
from samovar.env.lock import Lock
from samovar.env.requirements import Requirements
from samovar.env.resolve import Resolved, resolve
from samovar.errors import InvalidRequirements
from wheels import make_wheel

PLATFORMS = ["linux/amd64", "windows/amd64"]


def resolved(tmp_path, python, requirements, **options) -> Resolved:
    workspace = tmp_path / f"resolve-{len(list(tmp_path.iterdir()))}"
    workspace.mkdir()
    defaults = {"existing": None, "upgrade": None, "offline": True}
    return resolve(
        requirements,
        (),
        interpreter=python,
        platforms=PLATFORMS,
        workspace=workspace,
        **{**defaults, **options},
    )


def of_folder(folder: Path, *specifiers: str) -> Requirements:
    return Requirements(specifiers=specifiers, options=("--no-index", f"--find-links {folder}"))


def test_what_a_patch_version_decides_keeps_its_marker(tmp_path, python):
    index = tmp_path / "index"
    minor = python.minor
    make_wheel(
        index,
        "patchy",
        "1.0",
        requires=(
            f"newer; python_full_version >= '{minor}.900'",
            f"older; python_full_version < '{minor}.900'",
        ),
    )
    make_wheel(index, "newer", "1.0")
    make_wheel(index, "older", "1.0")
    lock = resolved(tmp_path, python, of_folder(index, "patchy")).lock
    assert {package.name for package in lock.packages} == {"patchy", "newer", "older"}
    here = {package.name for package in lock.packages_for(python.markers)}
    assert here == {"patchy", "older"}


def test_wheels_of_folders_travel_and_their_folder_is_not_named(tmp_path, python):
    index = tmp_path / "index"
    wheel = make_wheel(index, "base", "1.0")
    found = resolved(tmp_path, python, of_folder(index, "base"))
    assert str(tmp_path) not in found.lock.data.decode()
    assert [one.path for one in found.found] == [wheel]
    (file,) = found.lock.packages[0].wheels
    assert file.path == "wheels/base-1.0-py3-none-any.whl"
    assert [one.path for one in wheels_of_lock(found.lock, (), (index,))] == [wheel]
    make_wheel(index, "base", "1.0", body="other = 1\n")
    with pytest.raises(InvalidRequirements, match="not what this machine has"):
        wheels_of_lock(found.lock, (), (index,))
    with pytest.raises(InvalidRequirements, match="not on this machine"):
        wheels_of_lock(found.lock, (), ())


@pytest.fixture
def index_with_a_yank(tmp_path):
    """Serve a simple index on loopback whose version 1.0 of ``base`` is withdrawn."""
    root = tmp_path / "served"
    for version in ("1.0", "2.0"):
        make_wheel(root / "base", "base", version)
    (root / "base" / "index.html").write_text(
        '<a href="base-1.0-py3-none-any.whl" data-yanked="leaks memory">base-1.0</a>'
        '<a href="base-2.0-py3-none-any.whl">base-2.0-py3-none-any.whl</a>'.replace(
            ">base-1.0<", ">base-1.0-py3-none-any.whl<"
        )
    )

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("specifier", ["base==1.0", "base<2"])
def test_a_withdrawn_version_is_refused_with_its_reason(
    tmp_path, python, index_with_a_yank, specifier, monkeypatch
):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    asked = Requirements(specifiers=(specifier,), options=(f"--index-url {index_with_a_yank}",))
    with pytest.raises(InvalidRequirements) as caught:
        resolved(tmp_path, python, asked, offline=False)
    assert caught.value.code == "yanked"
    assert "leaks memory" in str(caught.value)
    assert "pip download" in caught.value.hint


def test_credentials_of_an_index_never_reach_the_lock(
    tmp_path, python, index_with_a_yank, monkeypatch
):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    address = index_with_a_yank.replace("//", "//user:s3cret@")
    asked = Requirements(specifiers=("base",), options=(f"--index-url {address}",))
    lock = resolved(tmp_path, python, asked, offline=False).lock
    assert lock.packages[0].version == "2.0"
    assert b"s3cret" not in lock.data
    assert b"user" not in lock.data


def test_upgrading_what_nobody_needs_names_the_nearest(tmp_path, python):
    index = tmp_path / "index"
    make_wheel(index, "base", "1.0")
    with pytest.raises(InvalidRequirements) as caught:
        resolved(tmp_path, python, of_folder(index, "base"), upgrade=["bsae"])
    assert "base" in caught.value.hint


def table(name: str, version: str, *lines: str) -> str:
    file = f"https://i.example/{name.replace('-', '_')}-{version}-py3-none-any.whl"
    wheel = f'{{ url = "{file}", hashes = {{ sha256 = "{"0" * 64}" }} }}'
    head = f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
    return head + "".join(f"{line}\n" for line in lines) + f"wheels = [{wheel}]\n"


LOCK = (
    'lock-version = "1.0"\ncreated-by = "by hand"\n'
    + table("flask", "2.3.2")
    + table("only-windows", "1.0", "marker = \"sys_platform == 'win32'\"")
)


@pytest.mark.parametrize(
    ("specifier", "answered"),
    [
        ("Flask", True),
        ("flask>=2", True),
        ("flask>=3", False),
        ("absent", False),
        ("absent; sys_platform == 'darwin'", True),
        ("only_windows; os_name == 'nt'", True),
        ("only-windows", False),
    ],
)
def test_a_lock_is_held_against_requirements_by_its_content(specifier, answered):
    lock = Lock.from_bytes(LOCK.encode())
    asked = Requirements(specifiers=(specifier,))
    missed = unanswered(lock, asked, platforms=PLATFORMS, minor="3.11")
    assert (missed == []) is answered


def test_a_constraint_asks_for_nothing_by_itself():
    lock = Lock.from_bytes(LOCK.encode())
    asked = Requirements(constraints=("absent<2", "flask<2"))
    assert unanswered(lock, asked, platforms=PLATFORMS, minor="3.11") == ["flask<2 (locked: 2.3.2)"]


def test_the_builders_version_leaves_no_trace_in_a_wheel(tmp_path, python):
    digests = set()
    for version in ("75.0", "80.9"):
        folder = tmp_path / version
        wheel = make_wheel(folder, "base", "1.0")
        with zipfile.ZipFile(wheel) as old:
            contents = {name: old.read(name) for name in old.namelist()}
        contents["base-1.0.dist-info/WHEEL"] += f"Generator: setuptools ({version})\n".encode()
        with zipfile.ZipFile(wheel, "w") as new:
            for name, data in contents.items():
                new.writestr(name, data)
        built = build_wheel(
            wheel, folder / "out", interpreter=python, workspace=folder, offline=True
        )
        digests.add(built.digest)
        with zipfile.ZipFile(built.path) as whole:
            assert b"Generator: samovar" in whole.read("base-1.0.dist-info/WHEEL")
    assert len(digests) == 1
