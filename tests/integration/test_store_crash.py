"""The store survives a kill at every system call that changes a file.

strace delivers SIGKILL at the entry of the N-th call of one kind, for every kind and every N that
the process makes; after each kill nothing half written stands under its final name, `fsck` finds
nothing wrong, and the same work done again succeeds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import samovar
from engines.processes import need
from samovar.core.reference import Reference
from samovar.store.check import check
from samovar.store.layout import Store

SOURCE = Path(samovar.__file__).parents[1]
CHANGING = (
    "fsync rename renameat renameat2 unlink unlinkat chmod fchmod fchmodat mkdir mkdirat write flock "
    "ftruncate"
).split()
PUT = """
    from samovar.core import media_types
    from samovar.core.descriptor import Descriptor
    from samovar.core.manifest import Manifest

    def put(content, name):
        with store.writing():
            blobs = []
            for data in (b"{}", content * 1000, content):
                digest, size = store.put_stream([data[:7], data[7:]])
                blobs.append(Descriptor(media_type="text/plain", digest=digest, size_bytes=size))
            descriptor = store.put_document(Manifest(
                config=blobs[0], layers=tuple(blobs[1:]),
                artifact_type=media_types.MODEL_MANIFEST))
            store.set_name(Reference.parse(name), descriptor)
"""
START = """
    import sys
    sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from samovar.core.reference import Reference
    from samovar.store.layout import Store
    from samovar.store.reach import collect
    store = Store(Path(sys.argv[1]))
"""
WORK = {
    "put": PUT + "    put(b'second', 'second')\n",
    "replace": PUT + "    put(b'second', 'first')\n",
    "remove and collect": "    store.remove_name(Reference.parse('first'))\n    collect(store)\n",
}
FEWEST_KILLS = {
    "put": 20,
    "replace": 20,
    "remove and collect": 10,  # four blobs unlinked, the index written anew, and the locks
}


def script(*parts: str) -> str:
    return "".join(textwrap.dedent(part) for part in parts)


def python(store: Path, source: str, *before: str) -> subprocess.CompletedProcess[bytes]:
    command = [*before, sys.executable, "-S", "-E", "-c", source, str(store), str(SOURCE)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)


def fill(store: Path) -> None:
    made = python(store, script(START, PUT, "put(b'first', 'first')\n"))
    assert made.returncode == 0, made.stderr.decode()


def is_whole(root: Path) -> None:
    """Assert that every name reaches whole blobs, and that no name is half a blob's."""
    store = Store(root)
    assert check(store) == []
    assert all(len(path.name) == 64 for path in store.blobs.iterdir())


def kill_at(store: Path, source: str, call: str, number: int) -> bool:
    """Run the script and kill it at a call; False where it makes fewer such calls."""
    strace = need("strace", "apt install strace")
    ended = python(
        store,
        source,
        strace, "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}",
        "-e", f"inject={call}:signal=SIGKILL:when={number}",
    )  # fmt: skip
    assert ended.returncode in {0, -9, 137}, ended.stderr.decode()
    return ended.returncode != 0


@pytest.mark.engine
@pytest.mark.timeout(600)
@pytest.mark.parametrize("work", WORK)
def test_killed_at_every_changing_system_call(work: str, tmp_path: Path) -> None:
    original = tmp_path / "original"
    fill(original)
    source = script(START, WORK[work])
    kills = 0
    for call in CHANGING:
        number = 1
        root = tmp_path / "store"
        shutil.copytree(original, root)
        while kill_at(root, source, call, number):
            is_whole(root)
            if "first:latest" in Store(root).names():
                again = python(root, source)
                assert again.returncode == 0, again.stderr.decode()
                is_whole(root)
            shutil.rmtree(root)
            shutil.copytree(original, root)
            kills, number = kills + 1, number + 1
        shutil.rmtree(root)
    assert kills >= FEWEST_KILLS[work], "the work made fewer changing calls than it must"
    assert Store(original).resolve(Reference.parse("first"))
