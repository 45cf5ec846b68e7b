"""Locks and environments with the real resolver and the real package index."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import SAMOVAR
from samovar.env.interpreters import probe


def samovar(folder: Path, *words: str, code: int = 0, **variables: str) -> dict:
    """Run a command in a folder and give its JSON."""
    ended = subprocess.run(
        [SAMOVAR, *words, "--json"],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "samovar.toml").write_text(
        f'[project]\nname = "p"\npython = "{minor}"\n'
        '[environment]\nrequirements = ["requirements.txt"]\n'
    )
    (folder / "requirements.txt").write_text("flask==3.0.3\nwerkzeug==3.0.3\ntqdm==4.66.4\n")
    return folder


def installed(python: str) -> dict[str, str]:
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    )
    said = subprocess.run([python, "-I", "-c", code], check=True, capture_output=True, text=True)
    return json.loads(said.stdout)


def test_pins_of_pip_freeze_stay_and_the_environment_is_the_lock(project: Path) -> None:
    locked = samovar(project, "lock")
    data = (project / "pylock.toml").read_bytes()
    assert {"name": "flask", "from": None, "to": "3.0.3"} in locked["changed"]
    assert samovar(project, "lock")["changed"] == []
    assert (project / "pylock.toml").read_bytes() == data
    assert samovar(project, "lock", "--check")["ok"] is True
    venv = samovar(project, "venv", ".", "v")
    have = installed(venv["python"])
    assert (have["flask"], have["werkzeug"]) == ("3.0.3", "3.0.3")
    assert not {"pip", "setuptools", "samovar"} & have.keys()
    assert venv["packages"] == len(have)


def test_the_lock_serves_platforms_that_this_machine_is_not(project: Path) -> None:
    samovar(project, "lock")
    text = (project / "pylock.toml").read_text()
    for tag in ("manylinux", "aarch64", "macosx_11_0_arm64", "win_amd64"):
        assert tag in text
    assert "colorama" in text  # tqdm wants it on Windows alone
    venv = samovar(project, "venv", ".", "v")
    assert ("colorama" in installed(venv["python"])) is (os.name == "nt")


def test_a_changed_requirement_makes_the_lock_stale_until_it_is_locked_again(
    project: Path,
) -> None:
    samovar(project, "lock")
    (project / "requirements.txt").write_text("flask>=3.1\n")
    assert "flask>=3.1" in samovar(project, "lock", "--check", code=1)["why"]
    changed = {one["name"]: one for one in samovar(project, "lock")["changed"]}
    assert changed["flask"]["from"] == "3.0.3"
    assert "werkzeug" not in changed or changed["werkzeug"]["from"] == "3.0.3"


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("flask==3.0.3\nwerkzeug<2", 2, "unsatisfiable"),
        ("flask==99.0", 2, "unsatisfiable"),
        ("attrs==21.1.0", 2, "yanked"),
    ],
)
def test_what_cannot_be_locked_changes_nothing(
    project: Path, line: str, code: int, error: str
) -> None:
    (project / "requirements.txt").write_text(line + "\n")
    found = samovar(project, "lock", code=code)["error"]
    assert found["code"] == error
    assert found["hint"]
    assert not (project / "pylock.toml").exists()


def test_offline_the_cache_is_enough_and_without_it_what_is_missing_is_named(
    project: Path, tmp_path: Path
) -> None:
    samovar(project, "lock")
    samovar(project, "venv", ".", "v")
    assert samovar(project, "venv", ".", "again", "--offline")["packages"] > 3
    empty = str(tmp_path / "empty-cache")
    error = samovar(project, "venv", ".", "never", "--offline", code=3, UV_CACHE_DIR=empty)["error"]
    assert error["code"] == "offline"
    assert "flask 3.0.3" in error["message"]
    assert "werkzeug 3.0.3" in error["message"]
    assert not (project / "never").exists()


def test_an_editable_package_travels_and_its_folder_may_go(project: Path) -> None:
    package = project / "mine"
    (package / "src" / "mine" / "build").mkdir(parents=True)
    (package / "src" / "mine" / "__init__.py").write_text("answer = 42\n")
    (package / "src" / "mine" / "build" / "__init__.py").write_text("kept = True\n")
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mine"\nversion = "1.0"\ndependencies = ["itsdangerous"]\n'
    )
    (project / "requirements.txt").write_text("-e ./mine\n")
    samovar(project, "lock")
    text = (project / "pylock.toml").read_text()
    assert 'path = "wheels/mine-1.0-' in text
    assert str(project) not in text
    venv = samovar(project, "venv", ".", "v")
    shutil.rmtree(package)
    said = subprocess.run(
        [venv["python"], "-c", "import mine.build, itsdangerous; print(mine.answer)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.strip() == "42"


def test_exports_install_with_the_other_tools_and_users_files_stay(project: Path) -> None:
    mine = (project / "requirements.txt").read_text()
    error = samovar(project, "lock", "--export", "requirements.txt", code=2)["error"]
    assert error["code"] == "would_overwrite"
    assert (project / "requirements.txt").read_text() == mine
    assert not (project / "pylock.toml").exists()
    samovar(project, "lock", "--export", "locked.txt", "--export", "environment.yml")
    base = probe(Path(sys.executable)).base
    subprocess.run([base, "-m", "venv", project / "pip"], check=True)
    python = project / "pip" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", "locked.txt"],
        cwd=project,
        check=True,
    )
    assert installed(str(python))["flask"] == "3.0.3"
    again = (project / "samovar.toml").read_text().replace("requirements.txt", "environment.yml")
    (project / "samovar.toml").write_text(again)
    assert samovar(project, "lock")["changed"] == []
