"""Tar files whose bytes depend on their members alone."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samovar.core.tar import TarMember, write_tar
from samovar.errors import InvalidReference

NAMES = st.text("abcé.-_", min_size=1, max_size=130).filter(lambda name: name not in {".", ".."})


def archive(*members: TarMember) -> bytes:
    return b"".join(write_tar(members))


def read(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        return opened.getmembers()


def test_parents_are_added_and_everything_is_sorted() -> None:
    data = archive(TarMember(path="b/c/d", data=b"1"), TarMember(path="a", data=b"22"))
    assert [(info.name, info.isdir()) for info in read(data)] == [
        ("a", False), ("b", True), ("b/c", True), ("b/c/d", False),
    ]  # fmt: skip


def test_owner_time_and_mode_are_nobodys() -> None:
    data = archive(
        TarMember(path="run.sh", data=b"", executable=True),
        TarMember(path="plain", data=b""),
        TarMember(path="latest", link="plain"),
    )
    by_name = {info.name: info for info in read(data)}
    assert {name: info.mode for name, info in by_name.items()} == {
        "run.sh": 0o755, "plain": 0o644, "latest": 0o777,
    }  # fmt: skip
    assert by_name["latest"].linkname == "plain"
    assert {(i.uid, i.gid, i.uname, i.gname, i.mtime) for i in by_name.values()} == {
        (0, 0, "", "", 0)
    }


@pytest.mark.parametrize("path", ["/absolute", "", "a/../b", "./a", "a//b", "nul\0"])
def test_paths_that_leave_the_folder_are_refused(path: str) -> None:
    with pytest.raises(InvalidReference):
        archive(TarMember(path=path, data=b""))


def test_a_path_cannot_stand_twice() -> None:
    with pytest.raises(InvalidReference, match="twice"):
        archive(TarMember(path="a", data=b"1"), TarMember(path="a", data=b"2"))


@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=5), st.randoms())
def test_the_order_of_members_does_not_matter(content: dict[str, bytes], random) -> None:
    members = [TarMember(path=name, data=data) for name, data in content.items()]
    data = archive(*members)
    random.shuffle(members)
    assert archive(*members) == data
    assert len(data) % 10240 == 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        assert {info.name: opened.extractfile(info).read() for info in opened} == content  # type: ignore[union-attr]
