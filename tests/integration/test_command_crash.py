"""pack, load, pull and gc are killed at many points, and meet disks that are full or read-only.

A few kills of each here; ``SAMOVAR_KILLS=500 pytest tests/integration/test_command_crash.py`` makes
500 in all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from attesting import make_keys
from cli import copy_example, samovar
from engines.processes import need, unavailable
from killing import SHARED, Command, is_whole, spread
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.registry import Registry

KILLS = int(os.environ.get("SAMOVAR_KILLS", "20"))
COMMANDS = {"pack": 0.1, "load": 0.3, "pull": 0.3, "gc": 0.3}
"""Each command's part of the kills: to pack takes ten times as long as the others."""


@pytest.fixture(scope="module")
def commands(tmp_path_factory, registry: Registry) -> dict[str, Command]:
    """Each command where it has work to do, in a home that has something to lose."""
    base = tmp_path_factory.mktemp("commands")
    project, home = copy_example(base / "web"), base / "home"
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=home)
    samovar("pack", "--tag", "kept", cwd=project, SAMOVAR_HOME=home)
    (project / "server.py").write_text((project / "server.py").read_text() + "\n# changed\n")
    shutil.copytree(home / "store", base / "gc" / "store")
    other = base / "gc"
    for name in SHARED:
        (other / name).symlink_to(home / name)
    remote = f"{registry.host}/crash/second:1.0"
    samovar("pack", "--tag", "second", cwd=project, SAMOVAR_HOME=other)
    samovar("save", "second", base / "second.tar", SAMOVAR_HOME=other)
    samovar("push", "second", remote, SAMOVAR_HOME=other)
    samovar("remove", "second", SAMOVAR_HOME=other)
    words = {
        "pack": ("pack", "--tag", "second"),
        "load": ("load", str(base / "second.tar")),
        "pull": ("pull", remote),
    }
    found = {name: Command(words=word, home=home, folder=project) for name, word in words.items()}
    return {**found, "gc": Command(words=("gc",), home=other, folder=project)}


@pytest.mark.engine
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_calls_that_change_something(
    commands: dict[str, Command], name: str, tmp_path: Path
) -> None:
    command = commands[name]
    count = max(1, round(KILLS * COMMANDS[name]))
    killed = 0
    for turn, (call, number) in enumerate(spread(command.points(tmp_path), count)):
        home = command.copy_home(tmp_path / "home")
        killed += command.kill_at(home, call, number, tmp_path)
        is_whole(home, "kept:latest")
        if turn % 4 == 0:
            again = command.run(home)
            assert again.returncode == 0, again.stderr
            is_whole(home, "kept:latest")
        shutil.rmtree(home)
    print(f"{name}: killed {killed} of {count} times")
    # Threads and children take turns: a call that was made once may fall to another next time.
    assert killed >= count * 9 // 10


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory that is soon full."""
    mount, umount = need("mount", "apt install mount"), need("umount", "apt install mount")
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        unavailable(f"A file system in memory cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([umount, "-l", str(folder)], check=True)


@pytest.mark.engine
@pytest.mark.parametrize("name", ["pack", "load", "pull"])
def test_a_full_disk_is_told_and_loses_nothing(
    commands: dict[str, Command], name: str, tmp_path: Path
) -> None:
    command = commands[name]
    with small_disk(tmp_path / "disk", "2m") as disk:
        home = command.copy_home(disk / "home")
        filler = disk / "filler"
        free = shutil.disk_usage(disk).free
        filler.write_bytes(b"x" * (free - 12 * 1024))
        refused = samovar(*command.words, "--json", cwd=command.folder, SAMOVAR_HOME=home, code=3)
        assert refused.error["code"] == "no_space"
        assert refused.error["hint"]
        is_whole(home, "kept:latest")
        assert list(Store(home / "store").unfinished.iterdir()) == []
        filler.unlink()
        samovar(*command.words, cwd=command.folder, SAMOVAR_HOME=home)
        is_whole(home, "kept:latest")


@pytest.mark.engine
def test_a_disk_that_is_full_to_the_last_byte_still_collects(
    commands: dict[str, Command], tmp_path: Path
) -> None:
    command = commands["gc"]
    with small_disk(tmp_path / "disk", "2m") as disk:
        home = command.copy_home(disk / "home")
        with (disk / "filler").open("wb", buffering=0) as filler:
            with suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)
            assert shutil.disk_usage(disk).free == 0
            freed = samovar("gc", "--json", cwd=command.folder, SAMOVAR_HOME=home).json
        assert freed["removed_blobs"] > 0
        is_whole(home, "kept:latest")


@pytest.mark.engine
def test_a_read_only_disk_is_told_and_can_be_read(
    commands: dict[str, Command], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        home = commands["gc"].copy_home(disk / "home")
        folder = commands["gc"].folder
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name in COMMANDS:
            words = commands[name].words
            refused = samovar(*words, "--json", cwd=folder, SAMOVAR_HOME=home, code=3).error
            assert "Read-only file system" in refused["message"], name
        listed = samovar("list", "--json", SAMOVAR_HOME=home).json
        assert [one["name"] for one in listed["bundles"]] == ["kept"]
        assert samovar("fsck", "--json", SAMOVAR_HOME=home).json["ok"] is True
        samovar("inspect", "kept", "--json", SAMOVAR_HOME=home)
        samovar("save", "kept", tmp_path / "kept.tar", SAMOVAR_HOME=home)
        key = make_keys(tmp_path).public
        asked = ("verify", "kept", "--attested", "--key", key, "--json")
        assert samovar(*asked, SAMOVAR_HOME=home, code=1).error["code"] == "attestation_missing"
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        is_whole(home, "kept:latest")
