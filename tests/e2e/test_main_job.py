"""The main job: adopt, lock, pack, carry over, verify, serve; and each way it can go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cli import SAMOVAR, copy_example, samovar

ROW = [1, 0, 1, 24]


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> tuple[Path, Path, dict]:
    """The example, adopted, locked and packed in a home of its own: project, home, answer."""
    base = tmp_path_factory.mktemp("packed")
    project, home = copy_example(base / "web"), base / "home"
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=home)
    samovar("lock", cwd=project, SAMOVAR_HOME=home)
    return project, home, samovar("pack", "--json", cwd=project, SAMOVAR_HOME=home).json


def name_of(packed: tuple[Path, Path, dict]) -> str:
    return packed[2]["name"]


def test_pack_says_what_the_contract_names(packed):
    document = packed[2]
    assert document["digest"].startswith("sha256:")
    assert {file["path"] for file in document["files"]} >= {"models/model.pkl", "server.py"}
    assert document["receipt"]["batching"] in {"identical", "equivalent"}
    assert document["receipt"]["rows"] > 1
    assert document["audit"]["ok"] is True
    assert all("data/" not in file["path"] for file in document["files"])


def test_verify_in_a_fresh_environment_is_identical(packed):
    _, home, _ = packed
    verdict = samovar("verify", name_of(packed), "--json", SAMOVAR_HOME=home).json
    assert verdict["verdict"] == "IDENTICAL"
    assert verdict["differences"] == []
    assert verdict["rows"] == packed[2]["receipt"]["rows"]


def test_packing_again_changes_nothing(packed):
    project, home, document = packed
    again = samovar("pack", "--json", cwd=project, SAMOVAR_HOME=home).json
    assert again["digest"] == document["digest"]
    assert again["reused"] is True


def test_the_digest_is_the_same_for_everybody(packed, tmp_path):
    project, _, document = packed
    deeper = tmp_path / "another" / "path with spaces" / "web"
    deeper.parent.mkdir(parents=True)
    shutil.copytree(project, deeper)
    digest = samovar(
        "pack",
        "--json",
        cwd=deeper,
        umask=0o077,
        SAMOVAR_HOME=tmp_path / "home",
        TZ="Asia/Tokyo",
        LC_ALL="C",
        PYTHONHASHSEED="1",
        OMP_NUM_THREADS="2",
    ).json["digest"]
    assert digest == document["digest"]


def test_save_and_load_offline_in_an_empty_home(packed, tmp_path):
    _, home, document = packed
    name, file, empty = name_of(packed), tmp_path / "titanic.tar", tmp_path / "home"
    samovar("save", name, file, SAMOVAR_HOME=home)
    loaded = samovar("load", file, "--offline", "--json", SAMOVAR_HOME=empty).json
    assert (loaded["name"], loaded["digest"]) == (name, document["digest"])
    verdict = samovar("verify", name, "--offline", "--json", SAMOVAR_HOME=empty).json
    assert verdict["verdict"] == "IDENTICAL"
    assert samovar("fsck", "--json", SAMOVAR_HOME=empty).json == {"ok": True, "problems": []}


def test_what_list_shows_can_be_typed(packed):
    _, home, document = packed
    listed = samovar("list", SAMOVAR_HOME=home).out
    assert document["digest"] in listed
    short = document["digest"][:19]
    found = samovar("inspect", short, "--json", SAMOVAR_HOME=home).json
    assert found["digest"] == document["digest"]
    samovar("inspect", "sha256:0000000", code=2, SAMOVAR_HOME=home)


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_a_narrow_terminal_breaks_nothing_that_is_copied(packed):
    from terminal import on_terminal

    project, home, document = packed
    assert document["digest"][:19] in on_terminal("list", columns=40, SAMOVAR_HOME=home)
    assert document["digest"] in on_terminal("pack", columns=40, cwd=project, SAMOVAR_HOME=home)


def test_two_saves_are_the_same_bytes(packed, tmp_path):
    _, home, _ = packed
    first, second = tmp_path / "a.tar", tmp_path / "b.tar"
    for file in (first, second):
        samovar("save", name_of(packed), file, SAMOVAR_HOME=home)
    assert first.read_bytes() == second.read_bytes()


def test_a_flipped_byte_in_a_saved_tar_is_named_and_changes_nothing(packed, tmp_path):
    _, home, _ = packed
    file, empty = tmp_path / "titanic.tar", tmp_path / "home"
    samovar("save", name_of(packed), file, SAMOVAR_HOME=home)
    data = bytearray(file.read_bytes())
    data[data.index(b"Pipeline")] ^= 1
    file.write_bytes(bytes(data))
    answer = samovar("load", file, "--json", code=3, SAMOVAR_HOME=empty)
    assert "sha256:" in answer.error["message"]
    assert samovar("list", "--json", SAMOVAR_HOME=empty).json == {"bundles": []}


def test_a_damaged_blob_is_named_by_every_command_that_would_use_it(packed, tmp_path):
    _, home, document = packed
    copy = tmp_path / "home"
    shutil.copytree(home / "store", copy / "store")
    inspected = samovar("inspect", name_of(packed), "--json", SAMOVAR_HOME=copy).json
    digest = inspected["layers"][0]["digest"]
    blob = copy / "store" / "blobs" / "sha256" / digest.removeprefix("sha256:")
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(bytes(data))
    for arguments in (["verify"], ["serve"], ["save"]):
        extra = [tmp_path / "x.tar"] if arguments == ["save"] else []
        answer = samovar(*arguments, name_of(packed), *extra, "--json", code=3, SAMOVAR_HOME=copy)
        assert digest in answer.error["message"], arguments
    problems = samovar("fsck", "--json", code=1, SAMOVAR_HOME=copy).json["problems"]
    assert [problem["digest"] for problem in problems] == [digest]
    assert document["digest"]


class Service:
    """A server started by the test and ended by it."""

    def __init__(self, *arguments: str, **variables: str | Path) -> None:
        import os

        self.process = subprocess.Popen(
            [SAMOVAR, "serve", *arguments, "--port", "0", "--json"],
            env={**os.environ, **{name: str(value) for name, value in variables.items()}},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.url = self.ready["url"]

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        assert self.process.stdout is not None
        assert self.process.stdout.read() == ""
        self.process.stdout.close()


def test_serve_answers_as_the_receipt_and_ends_clean(packed):
    _, home, document = packed
    with Service(name_of(packed), SAMOVAR_HOME=home) as service:
        assert service.ready["digest"] == document["digest"]
        answer = httpx.post(f"{service.url}/predict", json=ROW)
        assert answer.status_code == 200
        assert set(answer.json()) == {"prediction"}
        assert httpx.get(f"{service.url}/").status_code == 200
        assert httpx.get(f"{service.url}/v2/health/ready").status_code == 200
        verdict = samovar(
            "verify", service.url, "--against", name_of(packed), "--json", SAMOVAR_HOME=home
        )
        assert verdict.json["verdict"] == "IDENTICAL"
    work = home / "work"
    assert not work.exists() or list(work.iterdir()) == []


def test_the_authors_own_application_is_served_from_the_same_environment(packed):
    _, home, _ = packed
    with Service(name_of(packed), "--app", SAMOVAR_HOME=home) as service:
        text = httpx.get(f"{service.url}/")
        assert text.status_code == 200
        assert any(ord(character) > 127 for character in text.content.decode("utf-8"))
        assert httpx.post(f"{service.url}/predict", json=ROW).status_code == 200
        verdict = samovar(
            "verify", service.url, "--against", name_of(packed), "--json", SAMOVAR_HOME=home
        )
        assert verdict.json["verdict"] == "IDENTICAL"


def environment_with(folder: Path, *packages: str) -> Path:
    """Make an environment that is not the lock's."""
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "-q", "--python", "3.11", str(folder)], check=True)
    python = folder / "bin" / "python"
    if packages:
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *packages], check=True)
    return python


def test_another_scikit_learn_is_named_and_nothing_is_loaded(packed, tmp_path):
    _, home, _ = packed
    locked = {
        package["name"]: package["version"]
        for package in samovar("inspect", name_of(packed), "--json", SAMOVAR_HOME=home).json[
            "packages"
        ]
    }
    other = "1.4.2" if locked["scikit-learn"] != "1.4.2" else "1.3.2"
    python = environment_with(tmp_path / "other", f"scikit-learn=={other}", "numpy<2")
    answer = samovar(
        "verify", name_of(packed), "--python", python, "--json", code=3, SAMOVAR_HOME=home
    )
    assert answer.json["verdict"] == "CANNOT LOAD"
    by_name = {item["name"]: item for item in answer.json["environment"]["mismatches"]}
    assert by_name["scikit-learn"] == {
        "name": "scikit-learn",
        "wanted": locked["scikit-learn"],
        "found": other,
    }
    assert by_name["pandas"]["found"] is None


def test_the_command_needs_no_terminal_and_no_colour(packed):
    _, home, _ = packed
    answer = samovar("inspect", name_of(packed), SAMOVAR_HOME=home)
    assert "\x1b" not in answer.out + answer.err
