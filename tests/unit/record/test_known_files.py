from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from samovar.core.digest import Digest
from samovar.record.chunks import WHOLE_BYTES, read_file, store_file
from samovar.record.known_files import KnownFiles, Original, Signature, copy_unchanged
from samovar.store.layout import Store

LATER_NS = 60 * 10**9


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    rows = (f"{number},{number * 7919 % 1000003}\n" for number in range(600_000))
    path.write_text("".join(rows))
    assert path.stat().st_size > WHOLE_BYTES
    return path


def known_files(tmp_path: Path, later_ns: int = LATER_NS) -> KnownFiles:
    folder = tmp_path / "known"
    folder.mkdir(exist_ok=True)
    return KnownFiles(folder, now_ns=lambda: time.time_ns() + later_ns)


def test_a_large_file_is_stored_in_pieces_that_give_it_back(store: Store, data: Path) -> None:
    stored = store_file(store, data, "data.csv")
    assert len(stored.chunks) > 1
    assert b"".join(read_file(store, stored)) == data.read_bytes()
    assert stored.digest == Digest.of(data.read_bytes())


def test_an_unchanged_file_is_taken_from_memory(store: Store, data: Path, tmp_path: Path) -> None:
    known = known_files(tmp_path)
    first, _ = known.store(store, data, "data.csv")
    (memory,) = (tmp_path / "known").iterdir()
    document = json.loads(memory.read_text())
    document["file"]["digest"] = str(Digest.of(b"what only the memory says"))
    memory.write_text(json.dumps(document))
    again, _ = known.store(store, data, "other/name.csv")
    assert again.digest == Digest.of(b"what only the memory says")
    assert again.path == "other/name.csv"
    assert again.chunks == first.chunks


def test_a_changed_file_of_the_same_size_and_time_is_read(
    store: Store, data: Path, tmp_path: Path
) -> None:
    known = known_files(tmp_path)
    first, _ = known.store(store, data, "data.csv")
    times = (data.stat().st_atime_ns, data.stat().st_mtime_ns)
    with data.open("r+b") as file:
        file.write(b"9")
    os.utime(data, ns=times)
    again, _ = known.store(store, data, "data.csv")
    assert again.digest == Digest.of(data.read_bytes()) != first.digest


def test_a_file_that_changed_just_now_is_not_remembered(
    store: Store, data: Path, tmp_path: Path
) -> None:
    known_files(tmp_path, later_ns=0).store(store, data, "data.csv")
    assert list((tmp_path / "known").iterdir()) == []


def test_a_file_whose_pieces_are_gone_is_stored_again(
    store: Store, data: Path, tmp_path: Path
) -> None:
    known = known_files(tmp_path)
    first, _ = known.store(store, data, "data.csv")
    store.blob_path(first.chunks[0]).unlink()
    again, _ = known.store(store, data, "data.csv")
    assert again == first
    assert b"".join(read_file(store, again)) == data.read_bytes()


@pytest.mark.parametrize("text", ["", "[]", '{"signature": []}'])
def test_a_damaged_memory_is_none(store: Store, data: Path, tmp_path: Path, text: str) -> None:
    known = known_files(tmp_path)
    first, _ = known.store(store, data, "data.csv")
    (memory,) = (tmp_path / "known").iterdir()
    memory.write_text(text)
    assert known.store(store, data, "data.csv")[0] == first


def test_a_copy_is_made_only_of_the_file_that_was_read(data: Path, tmp_path: Path) -> None:
    original = Original(path=data, signature=Signature.of(data))
    copy = tmp_path / "copy.csv"
    assert copy_unchanged(original, copy)
    assert copy.read_bytes() == data.read_bytes()
    with copy.open("ab") as file:
        file.write(b"the copy is its own file")
    assert original.is_unchanged()
    data.touch()
    assert not original.is_unchanged()
    assert original.still_is(Digest.of(data.read_bytes()))
    data.write_text("other")
    assert not copy_unchanged(original, tmp_path / "second.csv")
    digest = Digest.of(data.read_bytes())
    data.unlink()
    assert not original.is_unchanged()
    assert not original.still_is(digest)


@pytest.mark.parametrize("size", [0, 1, 3 << 20])
def test_a_copy_across_file_systems_is_whole(tmp_path: Path, size: int) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        other = tmp_path
    source = tmp_path / "data.csv"
    source.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    with tempfile.TemporaryDirectory(dir=other) as folder:
        copy = Path(folder) / "copy.csv"
        assert copy_unchanged(Original(path=source, signature=Signature.of(source)), copy)
        assert copy.read_bytes() == source.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux copies by the kernel")
@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.ENOSYS, None])
def test_what_the_kernel_does_not_copy_is_copied_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int | None
) -> None:
    def no_copy(*_arguments: int) -> int:
        if refusal is not None:
            raise OSError(refusal, "no")
        return 0

    monkeypatch.setattr(os, "copy_file_range", no_copy)
    source = tmp_path / "data.csv"
    source.write_bytes(b"1,2\n" * 1000)
    copy = tmp_path / "copy.csv"
    assert copy_unchanged(Original(path=source, signature=Signature.of(source)), copy)
    assert copy.read_bytes() == source.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux copies by the kernel")
def test_a_full_disk_is_not_taken_for_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    source = tmp_path / "data.csv"
    source.write_bytes(b"1,2\n")
    with pytest.raises(OSError, match="full"):
        copy_unchanged(Original(path=source, signature=Signature.of(source)), tmp_path / "copy")
