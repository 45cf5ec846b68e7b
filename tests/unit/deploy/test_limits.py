"""What keeps a replica's limits: control groups of either version, or what stands in for them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from samovar.deploy.fallback import Fallback, describe
from samovar.deploy.limits import ControlGroup, Limits
from samovar.runtime.quota import usable_cpus

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
LIMITS = Limits(cpus=0.5, memory_bytes=100 * MIB)
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")


def offer(folder: Path, *files: str) -> Path:
    """Make a group as the kernel does: its files are there when it is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).write_text("max\n")
    return folder


def test_version_two_sets_both_limits_in_one_group(tmp_path: Path) -> None:
    offer(tmp_path, "cgroup.controllers")
    group = offer(tmp_path / "samovar-r", "cpu.max", "memory.max", "memory.swap.max")
    made = ControlGroup("r", LIMITS, root=tmp_path, own=tmp_path / "none")
    assert made.make() == ["cpus", "memory"]
    assert (group / "cpu.max").read_text().startswith("50000 100000")
    assert (group / "memory.max").read_text().startswith(str(100 * MIB))
    assert (group / "memory.swap.max").read_text().startswith("0")


def test_version_one_sets_each_where_its_controller_is(tmp_path: Path) -> None:
    cpu = offer(tmp_path / "cpu" / "samovar-r", "cpu.cfs_period_us", "cpu.cfs_quota_us")
    memory = offer(tmp_path / "memory" / "samovar-r", "memory.limit_in_bytes")
    (tmp_path / "cpuacct").mkdir()
    made = ControlGroup("r", LIMITS, root=tmp_path)
    assert made.make() == ["cpus", "memory"]
    assert (cpu / "cpu.cfs_quota_us").read_text().startswith("50000")
    assert (memory / "memory.limit_in_bytes").read_text().startswith(str(100 * MIB))
    assert (tmp_path / "cpuacct" / "samovar-r").is_dir()


def test_beside_ones_own_group_is_tried_where_the_root_is_closed(tmp_path: Path) -> None:
    offer(tmp_path, "cgroup.controllers")
    own = tmp_path / "own"
    own.write_text("0::/user.slice/app.slice/shell.scope\n")
    beside = offer(tmp_path / "user.slice" / "app.slice" / "samovar-r", "memory.max")
    made = ControlGroup("r", Limits(memory_bytes=MIB), root=tmp_path, own=own)
    assert made.make() == ["memory"]
    assert (beside / "memory.max").read_text().startswith(str(MIB))
    # Nothing is left where it could not be set.
    assert not (tmp_path / "samovar-r").exists()


def test_a_file_that_the_kernel_lacks_is_no_limit(tmp_path: Path) -> None:
    offer(tmp_path, "cgroup.controllers")
    made = ControlGroup("r", LIMITS, root=tmp_path, own=tmp_path / "none")
    assert made.make() == []
    assert list(tmp_path.iterdir()) == [tmp_path / "cgroup.controllers"]


def test_who_is_not_in_the_group_is_not_limited_by_it(tmp_path: Path) -> None:
    offer(tmp_path, "cgroup.controllers")
    group = offer(tmp_path / "samovar-r", "memory.max")
    made = ControlGroup("r", Limits(memory_bytes=MIB), root=tmp_path, own=tmp_path / "none")
    made.make()
    assert not made.holds(5)
    (group / "cgroup.procs").write_text("15\n")
    assert not made.holds(5)
    assert made.holds(15)


@needs_linux
def test_replicas_are_spread_over_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2, 3, 5})
    limits = Limits(cpus=2.0)
    bound = [Fallback.of(limits, (), number) for number in range(3)]
    assert [one.processors for one in bound] == [(0, 1), (2, 3), (5, 0)]
    assert all(one.kept == {"cpus": "affinity"} for one in bound)


@needs_linux
@pytest.mark.parametrize(
    ("cpus", "bound", "keeps"), [(0.5, 1, False), (1.0, 1, True), (2.5, 2, True), (64.0, 2, True)]
)
def test_parts_of_a_processor_are_not_kept_by_binding(cpus, bound, keeps, monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    found = Fallback.of(Limits(cpus=cpus), (), 0)
    assert (len(found.processors), found.keeps_cpus) == (bound, keeps)


@needs_linux
def test_what_control_groups_keep_is_left_to_them() -> None:
    assert Fallback.of(LIMITS, ("cpus", "memory"), 0) == Fallback()
    assert Fallback.of(Limits(), (), 0) == Fallback()


@needs_linux
def test_a_process_that_limits_itself_is_refused_more(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        Fallback(data_bytes=200 * MIB, processors=(min(os.sched_getaffinity(0)),)).enter()
        try:
            data = bytearray(400 * MIB)
        except MemoryError:
            os._exit(10 + len(os.sched_getaffinity(0)))
        os._exit(len(data) % 7)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 11


@pytest.mark.parametrize(
    ("limits", "by", "says"),
    [
        (LIMITS, {"cpus": "cgroup", "memory": "cgroup"}, []),
        (Limits(memory_bytes=MIB), {"memory": "rlimit"}, ["RLIMIT_DATA"]),
        (Limits(memory_bytes=MIB), {}, ["--memory is not enforced"]),
        (Limits(cpus=2.0), {"cpus": "affinity"}, ["bound to 2 processors"]),
        (Limits(cpus=0.5), {}, ["--cpus 0.5 is not enforced"]),
        (Limits(), {}, []),
    ],
)
def test_what_is_not_kept_is_said(limits, by, says) -> None:
    found = describe(limits, by)
    assert len(found) == len(says)
    assert all(words in sentence for words, sentence in zip(says, found, strict=True))


def test_quotas_of_ones_own_group_and_those_around_it_count(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/a\n1:cpu,cpuacct:/box/inner\n0::/box/inner\n")
    every = usable_cpus(mounted=tmp_path, own=own)
    offer(tmp_path / "cpu" / "box" / "inner")
    for folder, quota in (("cpu/box", "100000"), ("cpu/box/inner", "-1"), ("cpu", "-1")):
        (tmp_path / folder / "cpu.cfs_quota_us").write_text(quota)
        (tmp_path / folder / "cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(mounted=tmp_path, own=own) == 1
    (tmp_path / "cpu" / "box" / "cpu.cfs_quota_us").write_text("-1")
    assert usable_cpus(mounted=tmp_path, own=own) == every
    offer(tmp_path / "box" / "inner")
    (tmp_path / "box" / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "box" / "inner" / "cpu.max").write_text("max 100000\n")
    assert usable_cpus(mounted=tmp_path, own=own) == 1


def test_without_control_groups_all_processors_may_be_used(tmp_path: Path) -> None:
    assert usable_cpus(mounted=tmp_path, own=tmp_path / "none") >= 1
