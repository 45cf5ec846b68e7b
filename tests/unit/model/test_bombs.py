"""Bombs are refused in two seconds and 512 MB, by reading alone."""

from __future__ import annotations

import bz2
import json
import lzma
import os
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from samovar.model.audit import audit_file
from samovar.model.judging_machine import MAX_WEIGHT
from streams import (
    MARK,
    MEMOIZE,
    NONE,
    PROTO,
    STOP,
    TUPLE1,
    dtype,
    made,
    name,
    number,
    pack,
    stream,
    text,
)

if TYPE_CHECKING:
    from pathlib import Path

ZEROS = bytes(1 << 20)
WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"


def wrapper(*shape: int) -> bytes:
    return made(
        WRAPPER, text("subclass"), name("numpy.ndarray"), text("shape"), pack(*map(number, shape)),
        text("order"), text("C"), text("dtype"), dtype("f8"), text("allow_mmap"), NONE,
    )  # fmt: skip


def squeezed(make: object, head: bytes, mebibytes: int) -> bytes:
    first = make.compress(head)  # type: ignore[attr-defined] # the compressors share no base class
    rest = b"".join(make.compress(ZEROS) for _ in range(mebibytes))  # type: ignore[attr-defined] # see above
    return first + rest + make.flush()  # type: ignore[attr-defined] # see above


def laughs(depth: int) -> bytes:
    levels = (b"](" + (b"h" + bytes([level])) * 10 + b"e" + MEMOIZE for level in range(depth))
    return PROTO + b"]" + MEMOIZE + b"".join(levels) + STOP


SMALL = {
    "ten times ten times ... lists": laughs(60),
    "8 TB of bytes": PROTO + b"\x8e" + struct.pack("<Q", 1 << 43) + b"x.",
    "8 TB of text": PROTO + b"\x8d" + struct.pack("<Q", 1 << 43) + b"x.",
    "8 TB of bytearray": b"\x80\x05\x96" + struct.pack("<Q", 1 << 43) + b"x.",
    "an integer of 2 GB": PROTO + b"\x8b" + struct.pack("<i", 0x7FFFFFFF) + b"x.",
    "a frame of 1 PB": PROTO + b"\x95" + struct.pack("<Q", 1 << 50) + b"N.",
    "a memo of 4 billion places": PROTO + b"Nr\xff\xff\xff\xff.",
    "an array of 8 TB": stream(wrapper(1 << 40)),
    "an array of many dimensions": stream(wrapper(*[1 << 20] * 30)),
    "an array of 8 TB, compressed": zlib.compress(stream(wrapper(1 << 40))),
    "a header of 2 GB": b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + b"{",
}


def large() -> dict[str, bytes]:
    text_of_4_gb = PROTO + b"\x8e" + struct.pack("<Q", 4 << 30)
    return {
        "a million marks": PROTO + MARK * 1_000_000,
        "lists in lists": PROTO + b"](" * 1_000_000,
        "tuples in tuples": PROTO + NONE + TUPLE1 * 1_600_000 + STOP,
        "dictionaries": PROTO + MARK + b"}" * 1_200_000 + b"t.",
        "noise": PROTO + b"N0" * 1_000_000 + b"N.",
        "200 MB in zlib": squeezed(zlib.compressobj(), text_of_4_gb, 200),
        "100 MB in bz2": squeezed(bz2.BZ2Compressor(), text_of_4_gb, 100),
        "100 MB in xz": squeezed(lzma.LZMACompressor(), text_of_4_gb, 100),
        "opcodes in zlib": zlib.compress(PROTO + MARK + b"}" * (4 << 20)),
    }  # fmt: skip


@pytest.mark.parametrize("case", SMALL)
def test_a_small_bomb_is_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(SMALL[case])
    assert not audit_file(path).ok


@pytest.mark.skipif(os.name == "nt", reason="the limits are POSIX's: run it there")
def test_a_large_bomb_is_refused_within_the_limits(tmp_path: Path) -> None:
    files = {}
    for at, (case, content) in enumerate(large().items()):
        files[case] = tmp_path / str(at)
        files[case].write_bytes(content)
    program = (
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "from samovar.model.audit import audit_file\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "ok = audit_file(Path(sys.argv[1])).ok\n"
        # The kernel's ru_maxrss of a new program begins at what its parent had; VmHWM does not.
        "status = Path('/proc/self/status')\n"
        "text = status.read_text() if status.exists() else 'VmHWM: 0'\n"
        "print(json.dumps([ok, int(text.partition('VmHWM:')[2].split()[0])]))\n"
    )
    # Unmeasured: counting lines would cost more than the audit.
    plain = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    for case, path in files.items():
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)],
            check=True, capture_output=True, text=True, env=plain,
        )  # fmt: skip
        ok, kib = json.loads(done.stdout)
        assert not ok, case
        assert kib < (512 << 10), case


def test_a_structure_that_shares_little_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(laughs(5))
    assert audit_file(path).ok
    assert MAX_WEIGHT > 10**6
