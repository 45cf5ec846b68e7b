"""Locks and environments made of tiny wheels, without any index."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from samovar.env.activation import describe_activation, set_vscode_interpreter
from samovar.env.export import export_lock
from samovar.env.interpreters import find_interpreter, probe
from samovar.env.local_packages import build_wheel
from samovar.env.lock import Lock
from samovar.env.requirements import Requirements
from samovar.env.resolve import requirements_digest, resolve
from samovar.env.venv import borrow_bytecode, cached_venv, keep_venv, make_venv
from samovar.errors import InvalidProject, InvalidRequirements, Unavailable, UserError
from wheels import make_wheel

PLATFORMS = ["linux/amd64", "linux/arm64", "macos/arm64", "windows/amd64"]
QUIET = lambda _text: None  # noqa: E731 - a progress that says nothing


@pytest.fixture
def index(tmp_path):
    folder = tmp_path / "index"
    make_wheel(folder, "base", "1.0")
    make_wheel(folder, "base", "2.0")
    make_wheel(folder, "top-level", "1.0", requires=("base", "only-windows; os_name == 'nt'"))
    make_wheel(folder, "only-windows", "1.0")
    make_wheel(folder, "picky", "1.0", requires=("base<2",))
    return folder


def lock(tmp_path, python, index, *specifiers, existing=None, upgrade=None) -> Lock:
    workspace = tmp_path / f"resolve-{len(list(tmp_path.iterdir()))}"
    workspace.mkdir()
    return resolve(
        Requirements(specifiers=specifiers, options=("--no-index", f"--find-links {index}")),
        (),
        interpreter=python,
        platforms=PLATFORMS,
        existing=existing,
        upgrade=upgrade,
        workspace=workspace,
        offline=True,
    ).lock


def versions(found: Lock) -> dict[str, str]:
    return {package.name: package.version for package in found.packages}


def test_a_lock_has_hashes_for_every_file_and_a_marker_only_where_needed(tmp_path, python, index):
    found = lock(tmp_path, python, index, "top-level")
    assert versions(found) == {"base": "2.0", "top-level": "1.0", "only-windows": "1.0"}
    assert all(len(file.sha256) == 64 for package in found.packages for file in package.files)
    markers = {package.name: package.marker for package in found.packages}
    assert markers["base"] is None
    assert markers["only-windows"] is not None
    here = {package.name for package in found.packages_for(python.markers)}
    assert here == {"base", "top-level"}


def test_the_same_resolution_gives_the_same_bytes_and_no_path_of_this_machine(
    tmp_path, python, index
):
    first = lock(tmp_path, python, index, "top-level")
    second = lock(tmp_path, python, index, "top-level")
    assert first.data == second.data
    text = first.data.decode()
    assert "resolve-" not in text
    assert "uv pip compile" not in text


def test_an_existing_lock_keeps_its_versions_until_they_are_upgraded(tmp_path, python, index):
    old = lock(tmp_path, python, index, "base<2")
    kept = lock(tmp_path, python, index, "base", existing=old)
    assert versions(kept) == {"base": "1.0"}
    assert versions(lock(tmp_path, python, index, "base", existing=old, upgrade=["base"])) == {
        "base": "2.0"
    }
    assert versions(lock(tmp_path, python, index, "base", existing=old, upgrade=[])) == {
        "base": "2.0"
    }


def test_what_cannot_be_satisfied_says_so_in_the_resolvers_words(tmp_path, python, index):
    with pytest.raises(InvalidRequirements) as caught:
        lock(tmp_path, python, index, "picky", "base>=2")
    assert caught.value.code == "unsatisfiable"
    assert "picky" in caught.value.why


def test_the_digest_of_requirements_sees_every_change_but_the_index(tmp_path):
    def digest(minor="3.11", platforms=("linux/amd64",), **fields):
        return requirements_digest(Requirements(**fields), (), minor=minor, platforms=platforms)

    plain = digest(specifiers=("a",))
    assert plain == digest(specifiers=("a",), options=("--index-url https://x",))
    others = {
        digest(specifiers=("b",)),
        digest(specifiers=("a",), constraints=("c",)),
        digest(specifiers=("a",), minor="3.12"),
        digest(specifiers=("a",), platforms=("linux/arm64",)),
    }
    assert plain not in others
    assert len(others) == 4


@pytest.mark.parametrize("data", [b"", b"x = 1", b"\xff", b'lock-version = "1.0"\n'])
def test_what_is_no_lock_is_said(data):
    with pytest.raises(InvalidRequirements, match=r"pylock\.toml"):
        Lock.from_bytes(data)


def wheels_lock(tmp_path, index, *names) -> tuple[Lock, Path]:
    """Make a lock whose wheels travel with it."""
    import hashlib

    folder = tmp_path / "wheels"
    folder.mkdir(exist_ok=True)
    tables = []
    for name in names:
        (wheel,) = index.glob(f"{name.replace('-', '_')}-1.0-*.whl")
        data = wheel.read_bytes()
        (folder / wheel.name).write_bytes(data)
        tables.append(
            f'[[packages]]\nname = "{name}"\nversion = "1.0"\n[[packages.wheels]]\n'
            f'name = "{wheel.name}"\npath = "wheels/{wheel.name}"\n'
            f'hashes = {{ sha256 = "{hashlib.sha256(data).hexdigest()}" }}\n'
        )
    text = 'lock-version = "1.0"\ncreated-by = "test"\n' + "".join(tables)
    return Lock.from_bytes(text.encode()), folder


def installed(python: Path) -> list[str]:
    code = "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))"
    said = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(said.stdout.replace("'", '"'))


def test_an_environment_has_what_the_lock_names_and_nothing_else(tmp_path, python, index):
    found, wheels = wheels_lock(tmp_path, index, "base", "picky")
    venv = make_venv(found, python, tmp_path / "venv", wheels=wheels, offline=True, progress=QUIET)
    assert installed(venv.interpreter.path) == ["base", "picky"]
    assert venv.packages == 2
    assert probe(venv.interpreter.path).purelib == venv.interpreter.purelib


def test_a_wheel_that_is_not_what_the_lock_says_is_refused(tmp_path, python, index):
    found, wheels = wheels_lock(tmp_path, index, "base")
    make_wheel(wheels, "base", "1.0", body="evil = True\n")
    with pytest.raises(Unavailable) as caught:
        make_venv(found, python, tmp_path / "venv", wheels=wheels, offline=True, progress=QUIET)
    assert caught.value.code == "hash_mismatch"


def test_a_folder_of_the_users_is_never_made_an_environment(tmp_path, python, index):
    found, wheels = wheels_lock(tmp_path, index, "base")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("important")
    with pytest.raises(UserError, match="not a virtual environment"):
        make_venv(found, python, mine, wheels=wheels, offline=True, progress=QUIET)
    assert (mine / "thesis.txt").read_text() == "important"


def test_a_cached_environment_is_made_once_and_clashing_ones_live_side_by_side(
    tmp_path, python, index
):
    envs = tmp_path / "envs"
    envs.mkdir()
    said: list[str] = []
    one, wheels = wheels_lock(tmp_path, index, "base")
    first = cached_venv(envs, one, python, wheels=wheels, offline=True, progress=said.append)
    again = cached_venv(envs, one, python, wheels=wheels, offline=True, progress=said.append)
    assert first == again
    assert len(said) == 1
    two, wheels = wheels_lock(tmp_path, index, "base", "picky")
    other = cached_venv(envs, two, python, wheels=wheels, offline=True, progress=said.append)
    assert other.path != first.path
    assert installed(first.interpreter.path) == ["base"]


def test_a_proven_environment_is_kept_and_lends_its_bytecode(tmp_path, python, index):
    envs = tmp_path / "envs"
    envs.mkdir()
    found, wheels = wheels_lock(tmp_path, index, "base")

    def fresh(name: str):
        return make_venv(
            found, python, tmp_path / name, wheels=wheels, offline=True, progress=QUIET
        )

    first = fresh("first")
    subprocess.run(
        [first.interpreter.path, "-c", "import base"],
        check=True,
        env={"PYTHONDONTWRITEBYTECODE": ""},
    )
    keep_venv(envs, found, first)
    assert not first.path.exists()
    second = fresh("second")
    borrow_bytecode(envs, found, second)
    assert list(second.interpreter.purelib.glob("__pycache__/base*.pyc"))
    kept = cached_venv(envs, found, python, wheels=wheels, offline=True, progress=QUIET)
    assert installed(kept.interpreter.path) == ["base"]


def test_exports_name_every_hash_and_no_index(tmp_path, python, index):
    found = lock(tmp_path, python, index, "top-level")
    text = export_lock(found, "requirements.txt", python_minor="3.11", project="p")
    assert "base==2.0" in text
    assert text.count("--hash=sha256:") == 3
    assert "://" not in text
    conda = yaml.safe_load(export_lock(found, "environment.yml", python_minor="3.11", project="p"))
    assert conda["dependencies"][0] == "python=3.11"
    assert "base==2.0" in conda["dependencies"][2]["pip"]
    with pytest.raises(UserError):
        export_lock(found, "lock.xml", python_minor="3.11", project="p")


def test_an_unknown_interpreter_and_version_are_said(tmp_path):
    with pytest.raises(Unavailable) as caught:
        probe(tmp_path / "absent")
    assert caught.value.code == "no_interpreter"
    with pytest.raises(Unavailable, match=r"no Python 3\.99") as caught:
        find_interpreter("3.99")
    assert "Found:" in caught.value.why


def test_activation_lines_quote_what_a_shell_would_split(tmp_path):
    lines = describe_activation(Path("/a b/it's"))
    assert lines["posix"] == """. '/a b/it'"'"'s/bin/activate'"""
    assert "Set-ExecutionPolicy" in lines["powershell"]
    assert set(lines) == {"posix", "fish", "powershell", "cmd"}


def test_vscode_keeps_every_other_setting(tmp_path):
    settings = tmp_path / ".vscode" / "settings.json"
    set_vscode_interpreter(tmp_path, Path("/venv/bin/python"))
    settings.write_text('{"editor.tabSize": 2}')
    set_vscode_interpreter(tmp_path, Path("/venv/bin/python"))
    assert json.loads(settings.read_text()) == {
        "editor.tabSize": 2,
        "python.defaultInterpreterPath": "/venv/bin/python",
    }
    settings.write_text("// mine\n{}")
    with pytest.raises(InvalidProject) as caught:
        set_vscode_interpreter(tmp_path, Path("/venv/bin/python"))
    assert settings.read_text() == "// mine\n{}"
    assert "defaultInterpreterPath" in caught.value.hint


def test_a_folder_that_is_no_package_is_said(tmp_path, python):
    (tmp_path / "pkg").mkdir()
    with pytest.raises(InvalidRequirements, match="not a package"):
        build_wheel(
            tmp_path / "pkg", tmp_path / "w", interpreter=python, workspace=tmp_path, offline=True
        )


def test_a_wheel_is_normalised_whoever_zipped_it(tmp_path, python):
    wheel = make_wheel(tmp_path / "one", "base", "1.0")
    built = build_wheel(
        wheel, tmp_path / "w1", interpreter=python, workspace=tmp_path, offline=True
    )
    import zipfile

    other = tmp_path / "two" / wheel.name
    other.parent.mkdir()
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
    again = build_wheel(
        other, tmp_path / "w2", interpreter=python, workspace=tmp_path, offline=True
    )
    assert again.digest == built.digest
    assert built.name == "base"
