"""Turn a wheel into the files of a virtual environment, without running anything.

References
----------
PyPA binary distribution format, "Installing a wheel"; PyPA "Recording installed projects";
PEP 610 (direct_url.json); PyPA entry points specification.
"""

from __future__ import annotations

import base64
import binascii
import configparser
import csv
import hashlib
import io
import re
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from samovar.core.canonical import canonical_json
from samovar.core.tar import TarMember
from samovar.errors import Refused
from samovar.image.layer import DeflatedMember
from samovar.image.paths import PYTHON
from samovar.image.zip_members import ZipMember, read_members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.image.scheme import Scheme, WheelSource

_RECORD_FILES: Final = ("RECORD", "RECORD.jws", "RECORD.p7s")
_WHEEL_MAJOR: Final = "1"
_SCRIPT: Final = """#!{python}
import sys
from {module} import {name}
if __name__ == "__main__":
    sys.exit({call}())
"""
_ENTRY_POINT: Final = re.compile(r"([\w.]+)\s*:\s*([\w.]+)\s*(?:\[.*\])?")
_SCRIPT_NAME: Final = re.compile(r"[\w.-]+")


def wheel_members(wheel: WheelSource, scheme: Scheme) -> list[TarMember]:
    """Give the files that installing a wheel makes.

    Parameters
    ----------
    wheel : WheelSource
        The wheel.
    scheme : Scheme
        Where its parts go.

    Returns
    -------
    list of TarMember
        With paths from the image's root; no byte code.

    Raises
    ------
    Refused
        Where the wheel is of another distribution, or holds what no honest wheel has.
    Damaged
        Where it is no wheel.
    """
    found = {member.path: member for member in read_members(wheel.path)}
    info = _dist_info(wheel, found)
    recorded = _recorded(found[f"{info}/RECORD"]) if f"{info}/RECORD" in found else {}
    site = scheme.site
    made: dict[str, TarMember] = {}
    hashes: dict[str, tuple[bytes, int]] = {}

    def add(member: TarMember, digest: bytes, size: int) -> None:
        if member.path in made:
            raise _refuse(wheel, f"two of its files would be {member.path!r}")
        made[member.path] = member
        hashes[member.path] = (digest, size)

    for path, member in found.items():
        if path.endswith(".pyc") or path in {f"{info}/{name}" for name in _RECORD_FILES}:
            continue
        target, is_script = _target(wheel, path, scheme)
        add(*_installed(member, target, recorded.get(path), is_script=is_script))
    for name, text in _scripts(wheel, found.get(f"{info}/entry_points.txt")).items():
        target = f"{scheme.prefix}/bin/{name}"
        if target not in made:
            add(*_written(target, text.encode(), executable=True))
    add(*_written(f"{site}/{info}/INSTALLER", b"samovar\n"))
    if wheel.direct_url is not None:
        add(*_written(f"{site}/{info}/direct_url.json", canonical_json(dict(wheel.direct_url))))
    record = f"{site}/{info}/RECORD"
    made[record] = TarMember(path=record, data=_record(hashes, scheme, f"{info}/RECORD"))
    return list(made.values())


def _dist_info(wheel: WheelSource, found: Mapping[str, ZipMember]) -> str:
    names = {path.partition("/")[0] for path in found if ".dist-info/" in path}
    if len(names) != 1:
        raise _refuse(wheel, f"it has {len(names)} .dist-info folders")
    info = names.pop()
    name, _, version = info.removesuffix(".dist-info").rpartition("-")
    if canonicalize_name(name) != canonicalize_name(wheel.name):
        raise _refuse(wheel, f"it is a wheel of {name} {version}, not of {wheel.name}")
    metadata = found.get(f"{info}/WHEEL")
    match = metadata and re.search(rb"^Wheel-Version:\s*(\d+)\.", metadata.read(), re.MULTILINE)
    if not match or match[1].decode() != _WHEEL_MAJOR:
        raise _refuse(wheel, "its WHEEL file names no version that can be read")
    return info


def _target(wheel: WheelSource, path: str, scheme: Scheme) -> tuple[str, bool]:
    """Say where a member goes, and whether it is a script whose first line is rewritten."""
    top, _, rest = path.partition("/")
    if not top.endswith(".data") or not rest:
        return f"{scheme.site}/{path}", False
    kind, _, below = rest.partition("/")
    folders = {
        "purelib": scheme.site,
        "platlib": scheme.site,
        "scripts": f"{scheme.prefix}/bin",
        "data": scheme.prefix,
        "headers": f"{scheme.prefix}/include/site/python{scheme.minor}/{wheel.name}",
    }
    if kind not in folders or not below:
        raise _refuse(wheel, f"{path!r} belongs to no known scheme")
    return f"{folders[kind]}/{below}", kind == "scripts"


def _installed(
    member: ZipMember, target: str, recorded: bytes | None, *, is_script: bool
) -> tuple[TarMember, bytes, int]:
    if is_script:
        content = member.read()
        first, newline, rest = content.partition(b"\n")
        if re.match(rb"#!pythonw?\b", first):
            content = b"#!" + PYTHON.encode() + newline + rest
        return _written(target, content, executable=True)
    if not member.deflated or recorded is None:
        return _written(target, member.read(), executable=member.executable)
    carried = DeflatedMember(
        path=target,
        executable=member.executable,
        deflated=member.raw,
        size_bytes=member.size_bytes,
        crc32=member.crc32,
        sha256=recorded,
    )
    return carried, recorded, member.size_bytes


def _written(
    target: str, content: bytes, *, executable: bool = False
) -> tuple[TarMember, bytes, int]:
    member = TarMember(path=target, data=content, executable=executable)
    return member, hashlib.sha256(content).digest(), len(content)


def _recorded(member: ZipMember) -> dict[str, bytes]:
    """Read the SHA-256 digests in a wheel's RECORD; others are computed."""
    found = {}
    for row in csv.reader(io.StringIO(member.read().decode("utf-8", "replace"))):
        if len(row) >= 2 and row[1].startswith("sha256="):
            text = row[1].removeprefix("sha256=")
            try:
                digest = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            except binascii.Error:
                continue
            if len(digest) == hashlib.sha256().digest_size:
                found[row[0]] = digest
    return found


def _record(hashes: Mapping[str, tuple[bytes, int]], scheme: Scheme, own: str) -> bytes:
    """Write RECORD: paths relative to site-packages, digests, sizes; itself last and without."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    up = "../" * (scheme.site.count("/") - scheme.prefix.count("/"))
    for path in sorted(hashes):
        digest, size = hashes[path]
        if path.startswith(f"{scheme.site}/"):
            shown = path.removeprefix(f"{scheme.site}/")
        else:
            shown = up + path.removeprefix(f"{scheme.prefix}/")
        encoded = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        writer.writerow([shown, f"sha256={encoded}", size])
    writer.writerow([own, "", ""])
    return text.getvalue().encode()


def _scripts(wheel: WheelSource, member: ZipMember | None) -> dict[str, str]:
    """Write the console scripts that the wheel's entry points ask for."""
    if member is None:
        return {}
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(member.read().decode("utf-8", "replace"))
    except configparser.Error as error:
        raise _refuse(wheel, "its entry_points.txt cannot be read") from error
    made = {}
    for section in ("console_scripts", "gui_scripts"):
        for name, value in parser.items(section) if parser.has_section(section) else ():
            match = _ENTRY_POINT.fullmatch(value.strip())
            if match is None or not _SCRIPT_NAME.fullmatch(name) or name in {".", ".."}:
                raise _refuse(wheel, f"its entry point {name!r} is malformed")
            made[name] = _SCRIPT.format(
                python=PYTHON, module=match[1], name=match[2].partition(".")[0], call=match[2]
            )
    return made


def _refuse(wheel: WheelSource, why: str) -> Refused:
    return Refused(
        f"{wheel.path.name} is refused: {why}.",
        hint="Nothing of it was kept. Ask whoever published the wheel how it came about.",
        code="hostile_wheel",
    )
