"""Make other images out of one: every digest right, and something in them not as it was built."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def alter(
    archive: Path,
    into: Path,
    *,
    files: Mapping[str, Callable[[bytes], bytes]] | None = None,
    added: Mapping[str, bytes] | None = None,
    config: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write an OCI archive like another one, with files of its first image changed.

    Parameters
    ----------
    archive : Path
        As ``build -o`` writes it, for one platform.
    into : Path
        The new one.
    files : mapping
        By path in the image: what becomes of the content.
    added : mapping
        Files that are put on top, in a layer of their own.
    config : callable
        Changes the image's configuration in place.
    """
    with tarfile.open(archive) as tar:
        blobs = {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr] - regular files
            for member in tar
            if member.isfile()
        }
    top = json.loads(blobs["index.json"])
    index = json.loads(_of(blobs, top["manifests"][0]["digest"]))
    manifest = json.loads(_of(blobs, index["manifests"][0]["digest"]))
    document = json.loads(_of(blobs, manifest["config"]["digest"]))
    left = dict(files or {})
    for number, layer in enumerate(manifest["layers"]):
        plain = gzip.decompress(_of(blobs, layer["digest"]))
        changed = _changed(plain, left)
        if changed != plain:
            layer.update(_put(blobs, gzip.compress(changed, 1)))
            document["rootfs"]["diff_ids"][number] = _digest(changed)
    assert not left, f"no such files in the image: {sorted(left)}"
    if added:
        extra = _tar(added)
        kind = manifest["layers"][0]["mediaType"]
        manifest["layers"].append({"mediaType": kind, **_put(blobs, gzip.compress(extra))})
        document["rootfs"]["diff_ids"].append(_digest(extra))
    if config is not None:
        config(document)
    manifest["config"].update(_put(blobs, json.dumps(document).encode()))
    index["manifests"][0].update(_put(blobs, json.dumps(manifest).encode()))
    top["manifests"] = [top["manifests"][0] | _put(blobs, json.dumps(index).encode())]
    blobs["index.json"] = json.dumps(top).encode()
    into.write_bytes(_tar(blobs))
    return into


def _changed(plain: bytes, left: dict[str, Callable[[bytes], bytes]]) -> bytes:
    """Change what of the wanted files is in a layer."""
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        members = tar.getmembers()
        if not {member.name for member in members} & left.keys():
            return plain
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as new:
            for member in members:
                content = tar.extractfile(member) if member.isreg() else None
                data = b"" if content is None else content.read()
                if member.name in left:
                    data = left.pop(member.name)(data)
                    member.size = len(data)
                new.addfile(member, io.BytesIO(data))
        return out.getvalue()


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _of(blobs: Mapping[str, bytes], digest: str) -> bytes:
    return blobs[f"blobs/sha256/{digest.removeprefix('sha256:')}"]


def _put(blobs: dict[str, bytes], data: bytes) -> dict[str, Any]:
    digest = _digest(data)
    blobs[f"blobs/sha256/{digest.removeprefix('sha256:')}"] = data
    return {"digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
