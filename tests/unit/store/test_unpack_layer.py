"""Layers of images are applied below their root, and nowhere else."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hostile_tars import (
    LAYERS,
    entry,
    everything_below,
    folder,
    link,
    names_in,
    tar,
    uncompressed,
)
from samovar.errors import Damaged, Refused, SamovarError
from samovar.store.unpack_layer import extract_layer


def apply(root: Path, *layers: bytes) -> list[str]:
    for layer in layers:
        extract_layer(io.BytesIO(layer), root)
    return everything_below(root)


def test_links_of_an_image_stay_in_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    lower = tar(
        folder("usr"), folder("usr/bin"), link("bin", "usr/bin"), link("abs", "/usr/bin"),
        entry("usr/bin/a", b"1"), link("usr/bin/hard", "usr/bin/a", hard=True),
    )  # fmt: skip
    upper = tar(entry("bin/b", b"2"), entry("abs/c", b"3", mode=0o755))
    apply(root, lower, upper)
    assert names_in(root / "usr/bin") == ["a", "b", "c", "hard"]
    assert (root / "bin").readlink() == Path("usr/bin")
    assert (root / "usr/bin/hard").read_bytes() == b"1"


def test_whiteouts_remove_what_lower_layers_brought(tmp_path: Path) -> None:
    root = tmp_path / "root"
    lower = tar(entry("d/a", b"1"), entry("d/b", b"1"), entry("e/f/g", b"1"), entry("h", b"1"))
    upper = tar(
        entry("d/new", b"2"), entry("d/.wh..wh..opq"), entry("e/.wh.f"), entry(".wh.h"),
        entry(".wh.absent"),
    )  # fmt: skip
    assert apply(root, lower, upper) == ["d", "d/new", "e"]


def test_files_replace_links_and_are_not_written_through_them(tmp_path: Path, escape: Path) -> None:
    root = tmp_path / "root"
    apply(root, tar(link("f", str(escape / "precious")), entry("f", b"new")))
    assert (root / "f").read_bytes() == b"new"
    assert not (root / "f").is_symlink()


@pytest.mark.parametrize(
    "members",
    [
        (link("d", "../.."),),
        (link("a/b/d", "../../../x"),),
        (entry("../x", b"1"),),
        (entry("/x", b"1"),),
        (link("l", "../x", hard=True),),
        (link("l", "/etc/passwd", hard=True),),
        (link("l", "absent", hard=True),),
        (entry("f", b"1"), link("s", "f"), link("l", "s", hard=True)),
        (link("a", "b"), link("b", "a"), entry("a/f", b"1")),
        (entry("f", b"1"), entry("f/g", b"1")),
        (entry(".wh..", b""),),
        (entry("d/.wh...", b""),),
        (entry(".wh.", b""),),
        (entry(".wh..wh.plnk", b""),),
        (entry("n", type=tarfile.BLKTYPE),),
        (link("l", ""),),
    ],
)
def test_layers_that_reach_out_are_refused(
    members: tuple[Any, ...], tmp_path: Path, escape: Path
) -> None:
    with pytest.raises((Refused, Damaged)):
        apply(tmp_path / "root", tar(*members))
    assert names_in(tmp_path) == ["root"]


@pytest.mark.parametrize("name", LAYERS)
def test_hostile_layers_are_contained_in_images_too(
    name: str, tmp_path: Path, escape: Path
) -> None:
    root = tmp_path / "root"
    try:
        extract_layer(uncompressed(name), root)
    except SamovarError:
        return
    for path in root.rglob("*"):
        assert not path.lstat().st_mode & 0o7000
        assert stat.S_IFMT(path.lstat().st_mode) in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
