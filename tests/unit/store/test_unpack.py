"""Archives from outside are taken whole, or not at all; and never reach out of their folder."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_tars import (
    LAYERS,
    MANY,
    entry,
    everything_below,
    folder,
    hostile_members,
    link,
    names_in,
    tar,
    uncompressed,
)
from samovar.core.tar import TarMember, write_tar
from samovar.errors import Damaged, Refused, SamovarError
from samovar.store.unpack import Limits, extract_tar, read_tar
from samovar.store.unpack_layer import extract_layer

if TYPE_CHECKING:
    from collections.abc import Callable

MAY_BE_TAKEN = {"l15_setuid.tar"}


@pytest.mark.parametrize("name", LAYERS)
def test_hostile_layers_are_contained(name: str, tmp_path: Path, escape: Path) -> None:
    into = tmp_path / "into"
    if name in MAY_BE_TAKEN:
        extract_tar(uncompressed(name), into)
        assert all(not path.stat().st_mode & 0o7000 for path in into.rglob("*"))
        return
    with pytest.raises((Refused, Damaged)) as caught:
        extract_tar(uncompressed(name), into)
    assert not into.exists()
    assert "\x1b" not in str(caught.value)
    assert caught.value.hint or caught.value.why


@MANY
@given(data=st.data())
def test_no_tar_file_reaches_out(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        outside = Path(scratch, "outside")
        outside.mkdir()
        (outside / "precious").write_text("mine")
        strategy = hostile_members(str(outside / "precious"))
        members = data.draw(st.lists(strategy, min_size=1, max_size=6))
        content = tar(
            *members, form=data.draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
        )
        for extract in (extract_tar, extract_layer):
            into = Path(scratch, extract.__name__)
            try:
                extract(io.BytesIO(content), into)  # type: ignore[operator]
            except SamovarError:
                if extract is extract_tar:
                    assert not into.exists()
            assert everything_below(outside) == ["precious"]
            assert (outside / "precious").read_text() == "mine"
            assert (outside / "precious").stat().st_nlink == 1
            assert names_in(scratch) == sorted(
                {"outside"}
                | {n for n in ("extract_tar", "extract_layer") if Path(scratch, n).exists()}
            )
            for path in into.rglob("*") if into.exists() else ():
                mode = path.lstat().st_mode
                assert stat.S_ISLNK(mode) or not mode & 0o7022
                assert extract is extract_layer or stat.S_IFMT(mode) in {stat.S_IFREG, stat.S_IFDIR}


@MANY
@given(data=st.data())
def test_any_bytes_are_taken_or_refused(data: st.DataObject) -> None:
    good = bytearray(tar(folder("d"), entry("d/f", b"content" * 100), entry("g", b"x")))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(good) - 1))
        good[place] = data.draw(st.integers(0, 255))
    del good[data.draw(st.integers(0, len(good)) | st.just(len(good))) :]
    with tempfile.TemporaryDirectory() as scratch:
        into = Path(scratch, "into")
        try:
            extract_tar(io.BytesIO(bytes(good)), into)
        except SamovarError:
            assert not into.exists()
        assert names_in(scratch) in ([], ["into"])


@given(
    members=st.dictionaries(
        st.lists(st.text("abcé-_.0", min_size=1, max_size=60), min_size=1, max_size=5)
        .filter(lambda parts: all(part == part.rstrip(".") for part in parts))
        .map("/".join)
        .filter(lambda name: unicodedata.normalize("NFKC", name) == name),
        st.tuples(st.binary(max_size=2000), st.booleans()),
        max_size=8,
    )
)
@MANY
def test_what_we_write_is_read_back(members: dict[str, tuple[bytes, bool]]) -> None:
    if any(other.startswith(f"{name}/") for name in members for other in members):
        return
    content = b"".join(
        write_tar(
            TarMember(path=name, data=data, executable=executable)
            for name, (data, executable) in members.items()
        )
    )
    expected = {name: data for name, (data, _) in members.items()}
    assert read_tar(io.BytesIO(content)) == expected
    with tempfile.TemporaryDirectory() as scratch:
        found = extract_tar(io.BytesIO(content), Path(scratch, "into"))
        assert found == sorted(expected)
        for name, (data, executable) in members.items():
            path = Path(scratch, "into", name)
            assert path.read_bytes() == data
            assert path.stat().st_mode & 0o777 == (0o755 if executable else 0o644)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_files_of_other_programs_are_read(form: int, tmp_path: Path) -> None:
    long = "/".join(["folder" * 5] * 4) + "/" + "name" * 20
    content = tar(
        folder("./"), folder("./d/"), entry("./d/f", b"1", mode=0o700), entry(long, b"2"),
        form=form,
    )  # fmt: skip
    assert extract_tar(io.BytesIO(content), tmp_path / "into") == ["d/f", long]
    assert (tmp_path / "into" / long).read_bytes() == b"2"


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1023, 1024, 1536, 5000])
def test_cut_off_is_damaged(size: int, tmp_path: Path) -> None:
    content = tar(entry("f", b"x" * 600), entry("g", b"y" * 5000))[:size]
    with pytest.raises(Damaged):
        extract_tar(io.BytesIO(content), tmp_path / "into")
    assert not (tmp_path / "into").exists()


def pax_size(size: str) -> bytes:
    return tar(entry("f", b"abc", pax_headers={"size": size}))


HOSTILE: dict[str, bytes] = {
    "duplicate": tar(entry("f", b"1"), entry("f", b"2")),
    "case": tar(entry("f", b"1"), entry("F", b"2")),
    "case of a folder": tar(entry("d/f", b"1"), entry("D/g", b"2")),
    "normalisation": tar(entry("é", b"1"), entry("é", b"2")),
    "compatibility": tar(entry("ﬁle", b"1"), entry("file", b"2")),
    "sharp s": tar(entry("STRASSE", b"1"), entry("straße", b"2")),
    "file, then folder": tar(entry("d", b"1"), entry("d/f", b"2")),
    "folder, then file": tar(entry("d/f", b"1"), entry("d", b"2")),
    "file as folder in another case": tar(entry("D", b"1"), entry("d/f", b"2")),
    "device": tar(entry("n", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "pipe": tar(entry("p", type=tarfile.FIFOTYPE)),
    "unknown kind": tar(entry("p", type=b"Z")),
    "symlink": tar(link("l", "f")),
    "hard link": tar(entry("f", b"1"), link("l", "f", hard=True)),
    "pax path": tar(entry("f", b"1", pax_headers={"path": "../out"})),
    "pax sparse": tar(entry("f", b"1", pax_headers={"GNU.sparse.realsize": "1"})),
    "whiteout": tar(entry("d/.wh.f")),
    "windows device": tar(entry("d/NUL.txt", b"1")),
    "windows stream": tar(entry("f:stream", b"1")),
    "windows path": tar(entry("a\\..\\..\\b", b"1")),
    "trailing dot": tar(entry("d./f", b"1")),
    "right-to-left": tar(entry("model\u202elkp.exe", b"1")),
    "newline": tar(entry("a\nb", b"1")),
    "escape": tar(entry("a\x1b[2Jb", b"1")),
    "no unicode": tar(entry("a\udcffb", b"1")),
    "long part": tar(entry("n" * 300, b"1")),
    "long path": tar(entry("/".join(["n" * 100] * 20), b"1")),
    "deep": tar(entry("/".join("a" * 100), b"1")),
    "empty part": tar(entry("a//b", b"1")),
    "dot part": tar(entry("a/./b", b"1")),
}  # fmt: skip
BROKEN: dict[str, bytes] = {
    "hidden behind the end": tar(entry("f", b"1")) + tar(entry("g", b"2")),
    "no end": tar(entry("f", b"1"))[:1024],
    "half an end": tar(entry("f", b"1"))[:1536],
    "no tar file": b"PK\x03\x04" + bytes(2000),
    "empty file": b"",
    "negative pax size": pax_size("-1"),
    "pax size that is no number": pax_size("1e9"),
    "huge pax size": pax_size("9" * 19),
    "huge pax size in a longer number": pax_size("9" * 400),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_members_are_refused(what: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        extract_tar(io.BytesIO(HOSTILE[what]), tmp_path / "into")
    assert caught.value.code == "hostile_tar"
    assert str(caught.value).isprintable()
    assert names_in(tmp_path) == []
    with pytest.raises(Refused):
        read_tar(io.BytesIO(HOSTILE[what]))


@pytest.mark.parametrize("what", BROKEN)
def test_broken_tar_files_are_refused(what: str, tmp_path: Path) -> None:
    with pytest.raises((Damaged, Refused)):
        extract_tar(io.BytesIO(BROKEN[what]), tmp_path / "into")
    assert names_in(tmp_path) == []


def test_global_header_that_renames_everything_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", pax_headers={"path": "../out"}) as archive:
        archive.addfile(*_with_file("f"))
    with pytest.raises(Refused, match="for all members"):
        extract_tar(io.BytesIO(file.getvalue()), tmp_path / "into")


def test_global_comment_as_git_writes_it_is_taken(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", pax_headers={"comment": "0" * 40}) as archive:
        archive.addfile(*_with_file("f"))
    assert extract_tar(io.BytesIO(file.getvalue()), tmp_path / "into") == ["f"]


def _with_file(name: str) -> tuple[tarfile.TarInfo, io.BytesIO]:
    return tarfile.TarInfo(name), io.BytesIO()


def test_extended_header_of_a_gigabyte_costs_nothing(tmp_path: Path) -> None:
    content = bytearray(tar(entry("f", b"1", pax_headers={"comment": "x"})))
    info = tarfile.TarInfo("f")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    content[:512] = info.tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(Refused, match="extended header of 1073741824 bytes"):
        extract_tar(io.BytesIO(bytes(content)), tmp_path / "into")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(members=2), "more than 2 members"),
        (Limits(size_bytes=10), "larger than 10 bytes"),
        (Limits(path_bytes=4), "too long a name"),
        (Limits(depth=1), "too long a name"),
    ],
)
def test_limits_hold(limits: Limits, words: str, tmp_path: Path) -> None:
    content = tar(entry("aa/bb", b"123456"), entry("cc/dd", b"123456"), entry("e", b""))
    with pytest.raises(Refused, match=words):
        extract_tar(io.BytesIO(content), tmp_path / "into", limits=limits)
    assert names_in(tmp_path) == []


def test_later_layers_add_and_never_replace(tmp_path: Path) -> None:
    into = tmp_path / "into"
    extract_tar(io.BytesIO(tar(entry("d/f", b"first"))), into)
    extract_tar(io.BytesIO(tar(entry("d/g", b"second"))), into)
    with pytest.raises(Refused, match="there already"):
        extract_tar(io.BytesIO(tar(entry("d/new/h", b"3"), entry("d/f", b"other"))), into)
    assert everything_below(into) == ["d", "d/f", "d/g"]
    assert (into / "d/f").read_bytes() == b"first"


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="the system has no links")
def test_link_that_stands_there_is_not_followed(tmp_path: Path) -> None:
    into, outside = tmp_path / "into", tmp_path / "outside"
    into.mkdir()
    outside.mkdir()
    (into / "d").symlink_to(outside)
    (into / "f").symlink_to(outside / "f")
    for content in (tar(entry("d/x", b"1")), tar(entry("f", b"1"))):
        with pytest.raises(Refused):
            extract_tar(io.BytesIO(content), into)
    assert names_in(outside) == []


def test_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        extract_tar(io.BytesIO(tar(entry("d/f", b"1", mode=0o777))), tmp_path / "into")
    finally:
        os.umask(before)
    assert (tmp_path / "into/d").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "into/d/f").stat().st_mode & 0o7777 == 0o755


def test_reader_agrees_with_the_standard_one(tmp_path: Path) -> None:
    rng: Callable[[int], bytes] = os.urandom
    members = [entry(f"d{n % 7}/f{n}", rng(n * 37 % 2000)) for n in range(60)]
    content = tar(*members)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        expected = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    assert read_tar(io.BytesIO(content)) == expected
