"""Make small wheels, honest and hostile, and read layers back."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.image.made import Layer
    from samovar.store.layout import Store

WHEEL = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = b"Metadata-Version: 2.1\nName: %s\nVersion: %s\n"


def make_wheel(
    folder: Path,
    files: dict[str, bytes],
    *,
    name: str = "demo",
    version: str = "1.0",
    tag: str = "py3-none-any",
    stored: bool = False,
    executable: frozenset[str] = frozenset(),
    record: dict[str, bytes] | None = None,
) -> Path:
    """Write a wheel; ``record`` replaces what RECORD says of files' contents."""
    info = f"{name}-{version}.dist-info"
    members = {
        **files,
        f"{info}/METADATA": METADATA % (name.encode(), version.encode()),
        f"{info}/WHEEL": WHEEL,
    }
    lines = []
    for path, data in members.items():
        digest = hashlib.sha256((record or {}).get(path, data)).digest()
        encoded = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        lines.append(f"{path},sha256={encoded},{len(data)}")
    members[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"{name}-{version}-{tag}.whl"
    kind = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for member, data in members.items():
            entry = zipfile.ZipInfo(member)
            entry.compress_type = kind
            entry.external_attr = (0o755 if member in executable else 0o644) << 16
            archive.writestr(entry, data)
    return path


def open_layer(store: Store, layer: Layer) -> tarfile.TarFile:
    """Open a stored layer as every reader does: gunzip, then tar."""
    data = gzip.decompress(store.blob_path(layer.descriptor.digest).read_bytes())
    return tarfile.open(fileobj=io.BytesIO(data))


def layer_files(store: Store, layer: Layer) -> dict[str, bytes]:
    """Give a stored layer's regular files."""
    with open_layer(store, layer) as archive:
        found = {}
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                found[member.name] = content.read()
        return found
