"""Tar files that no honest program writes."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from samovar.store.unpack_inflate import inflated

DATA = Path(__file__).parent / "data" / "layers"
CASES = [case["file"] for case in json.loads((DATA / "manifest.json").read_text())]
LAYERS = [name for name in CASES if name.startswith("l")]
MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def names_in(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def everything_below(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


def uncompressed(name: str) -> io.BufferedIOBase:
    file = io.BytesIO((DATA / name).read_bytes())
    return inflated(file) if ".gz" in name else file


def tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Write members as they are, without asking whether that makes sense."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def entry(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Describe one member."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def link(name: str, target: str, *, hard: bool = False) -> tuple[tarfile.TarInfo, bytes]:
    """Describe a link."""
    return entry(name, type=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, linkname=target)


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    """Describe a folder."""
    return entry(name, type=tarfile.DIRTYPE, mode=0o755)


_PARTS = st.sampled_from(
    ["a", "b", "A", "..", ".", "", "d", "é", "é", "CON", "x ", "a\\b", "c:", ".wh.a", ".wh..",
     ".wh...", ".wh..wh..opq", "\u202egnp", "a\nb", "-rf", "n" * 300, "out"]
)  # fmt: skip
names = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "", "", "/", "./", "../", "//"]),
    st.lists(_PARTS, min_size=1, max_size=4),
)
_TYPES = st.sampled_from(
    [tarfile.REGTYPE] * 6
    + [tarfile.DIRTYPE] * 3
    + [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"]
)


@st.composite
def hostile_members(draw: st.DrawFn, escape: str) -> tuple[tarfile.TarInfo, bytes]:
    """Draw a member of any kind, under any name, that may point to ``escape``."""
    kind = draw(_TYPES)
    data = draw(st.binary(max_size=700)) if kind == tarfile.REGTYPE else b""
    inside = st.sampled_from(["a", "d", "out", "a/b", "/a", "/", ".", "d/../a"])
    outside = st.sampled_from([escape, f"..{escape}", "../../../../../../../../" + escape])
    name = draw(names | st.just(f"d/{escape.rpartition('/')[2]}"))
    target = draw(inside | outside | names)
    fields: dict[str, Any] = {"type": kind, "mode": draw(st.sampled_from([0o644, 0o755, 0o6755]))}
    if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE}:
        fields["linkname"] = target
    pax = draw(
        st.dictionaries(
            st.sampled_from(
                ["comment", "GNU.sparse.realsize", "path", "linkpath", "SCHILY.xattr.u"]
            ),
            st.sampled_from(["x", "8796093022208", escape, "../x"]),
            max_size=1,
        )
    )
    if pax:
        fields["pax_headers"] = pax
    return entry(name, data, **fields)
