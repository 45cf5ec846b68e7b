"""Tar files whose bytes depend on their members alone."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samovar.core.tar import TarMember, header, write_tar
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


LONG = ["a", "é", "n" * 99, "n" * 100, "n" * 101, "d/" * 45 + "x", "ü" * 50]


def every_kind(name: str) -> list[TarMember]:
    return [
        TarMember(path=name),
        TarMember(path=name, executable=True),
        TarMember(path=name, folder=True),
        TarMember(path=name, link="t"),
        TarMember(path=name, link="é" * 60),
        TarMember(path=name, link="t" * 101),
    ]


def sizes(member: TarMember) -> list[int]:
    has_content = not member.folder and member.link is None
    return [0, 1, 511, 8**11 - 1, 8**11, 8**11 + 5] if has_content else [0]


def test_headers_are_the_same_for_ever() -> None:
    # Every digest of a bundle and of an image rests on these bytes: never change this number.
    state = hashlib.sha256()
    for member in (member for name in LONG for member in every_kind(name)):
        for size in sizes(member):
            state.update(header(member, size))
    assert state.hexdigest() == "1996b63772feec07cad64de3aa58545d016347d0091e59cb7eda43418923bf10"


@pytest.mark.parametrize("name", LONG)
def test_headers_are_read_by_the_standard_reader(name: str) -> None:
    for member in every_kind(name):
        for size in sizes(member):
            stream = io.BytesIO(header(member, size) + bytes(1024))
            with tarfile.open(fileobj=stream, mode="r:") as opened:
                info = opened.firstmember
            assert info is not None
            assert (info.name, info.size, info.linkname) == (name, size, member.link or "")


@given(NAMES, st.integers(0, 8**12), st.none() | NAMES, st.booleans())
def test_headers_are_those_of_the_standard_writer(
    name: str, size: int, target: str | None, executable: bool
) -> None:
    member = TarMember(path=name, link=target, executable=executable)
    info = tarfile.TarInfo(name)
    info.mode = 0o755 if executable else 0o644
    if target is not None:
        info.type, info.linkname, info.mode, size = tarfile.SYMTYPE, target, 0o777, 0
    info.size = size
    assert header(member, size) == info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
