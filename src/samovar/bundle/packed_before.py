"""Remember which inputs gave which bundle, so that an unchanged folder is not packed again.

The memory is a cache: it may be lost at any time, and a bundle that is no longer whole in the
store is packed anew.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from samovar import __version__
from samovar.bundle.layers import LAYERS_VERSION
from samovar.bundle.opened import Bundle, open_bundle
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.errors import SamovarError
from samovar.store.atomic import write_memory
from samovar.store.digests import digest_file
from samovar.store.reach import walk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from samovar.core.origin import Origin
    from samovar.project.config import Project
    from samovar.project.examples import Examples
    from samovar.store.home import Home
    from samovar.store.layout import Store

_FOLDER = "packed"


def inputs_digest(
    project: Project,
    lock: bytes,
    examples: Examples,
    *,
    files: Mapping[str, Path],
    wheels: Path | None,
    origin: Origin | None,
) -> Digest:
    """Give the digest of all that a bundle depends on, samovar's own version included."""
    listed = {path: str(digest_file(file)) + _mode(file) for path, file in files.items()}
    if wheels is not None:
        listed |= {f"wheels/{file.name}": str(digest_file(file)) for file in wheels.glob("*.whl")}
    return Digest.of(
        canonical_json(
            {
                "samovar": __version__,
                "layers": LAYERS_VERSION,
                "project": asdict(project.project),
                "model": None if project.model is None else asdict(project.model),
                "signature": project.signature.columns,
                "service": asdict(project.service),
                "lock": str(Digest.of(lock)),
                "examples": [examples.described, examples.rows],
                "files": listed,
                "origin": None if origin is None else origin.to_json(),
            }
        )
    )


def find_packed(home: Home, store: Store, inputs: Digest) -> Bundle | None:
    """Give the bundle that these inputs gave before, if every blob of it is still there."""
    try:
        digest = Digest.parse((home.cache(_FOLDER) / inputs.hex).read_text(encoding="ascii"))
        descriptor = store.describe_blob(digest)
        if all(store.has_blob(found.digest, found.size_bytes) for found in walk(store, descriptor)):
            return open_bundle(store, descriptor)
    except (OSError, SamovarError):
        return None
    return None


def remember_packed(home: Home, inputs: Digest, digest: Digest) -> None:
    """Note which bundle these inputs gave."""
    write_memory(home.cache(_FOLDER) / inputs.hex, str(digest).encode())


def _mode(file: Path) -> str:
    return "+x" if file.stat().st_mode & 0o100 else ""
