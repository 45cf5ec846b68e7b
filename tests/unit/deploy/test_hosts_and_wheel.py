"""Hosts of an inventory, the recap of a playbook, and samovar's own wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
import yaml

from samovar.core.digest import Digest
from samovar.deploy import ansible
from samovar.deploy.folder import write_files
from samovar.deploy.own_wheel import wheel_name, write_wheel
from samovar.deploy.plan import Plan, Service
from samovar.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = Service(
    name="titanic", version="1", digest=Digest.of(b""), image="titanic:1", python="3.11"
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("east", "east ansible_host=east"),
        ("ops@10.0.0.5", "10.0.0.5 ansible_host=10.0.0.5 ansible_user=ops"),
        ("root@h:2222", "h-2222 ansible_host=h ansible_user=root ansible_port=2222"),
        ("[::1]:22", "::1-22 ansible_host=::1 ansible_port=22"),
    ],
)
def test_hosts_are_read_as_ssh_writes_them(text: str, line: str) -> None:
    assert ansible.Host.parse(text).line == line


@pytest.mark.parametrize("text", ["", "a b", "user@", "h:port", "-oProxyCommand=x y", "-oX"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        ansible.Host.parse(text)


def test_a_playbook_needs_a_host() -> None:
    with pytest.raises(UserError, match="No host"):
        ansible.write(Plan(service=SERVICE), version="1", wheel="w.whl")


def test_the_playbook_goes_one_by_one_and_the_role_proves_before_it_switches() -> None:
    files = ansible.write(Plan(service=SERVICE, hosts=("a", "b")), version="1", wheel="w.whl")
    (play,) = yaml.safe_load(files["deploy.yml"])
    assert play["serial"] == 1
    assert play["any_errors_fatal"] is True
    tasks = yaml.safe_load(files["roles/samovar_service/tasks/main.yml"])
    names = [task["name"] for task in tasks]
    proof = next(i for i, name in enumerate(names) if name.startswith("Replay the receipt"))
    switches = [i for i, name in enumerate(names) if name.startswith("Switch")]
    assert proof < min(switches)
    variables = yaml.safe_load(files["group_vars/all.yml"])
    assert variables["samovar_digest"] == str(SERVICE.digest)


def test_files_are_written_and_scripts_can_be_run(tmp_path: Path) -> None:
    written = write_files({"a/run.sh": "#!/bin/sh\n", "b.txt": "text"}, tmp_path / "out")
    assert written == ["a/run.sh", "b.txt"]
    assert (tmp_path / "out" / "b.txt").read_text() == "text"
    if sys.platform != "win32":
        assert (tmp_path / "out" / "a" / "run.sh").stat().st_mode & 0o111


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(UserError, match="taken"):
        write_files({"a": ""}, tmp_path / "taken")


def test_the_wheel_is_the_same_twice_and_runs(tmp_path: Path) -> None:
    first = write_wheel(tmp_path / wheel_name())
    second = write_wheel(tmp_path / "again.whl")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as wheel:
        assert wheel.testzip() is None
    program = (
        f"import sys; sys.path.insert(0, {str(first)!r}); import samovar; print(samovar.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True
    )
    assert str(first) in done.stdout
