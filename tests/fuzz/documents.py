"""Readers of documents and image layouts."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzz.models import DATA
from samovar.bundle.archive import import_layout
from samovar.core import media_types
from samovar.core.attestation import Envelope, Statement
from samovar.core.bundle import BundleDocument
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import Index, Manifest
from samovar.core.origin import read_origin
from samovar.core.receipt import Receipt
from samovar.core.run import RunRecord
from samovar.core.signature import Signature
from samovar.env.lock import Lock
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_DOCUMENTS: dict[bytes, Callable[[bytes], object]] = {
    b"m": Manifest.from_bytes,
    b"i": Index.from_bytes,
    b"e": Envelope.from_bytes,
    b"s": Statement.from_bytes,
    b"l": Lock.from_bytes,
}
_JSON_DOCUMENTS: dict[bytes, Callable[[Any], object]] = {
    b"d": Descriptor.from_json,
    b"r": Receipt.from_json,
    b"g": Signature.from_json,
    b"b": BundleDocument.from_json,
    b"n": RunRecord.from_json,
    b"o": read_origin,
}


def read_document(content: bytes) -> None:
    kind, rest = content[:1], content[1:]
    if kind in _DOCUMENTS:
        _DOCUMENTS[kind](rest)
    elif kind in _JSON_DOCUMENTS:
        try:
            document = json.loads(rest)
        except (ValueError, RecursionError):
            return
        _JSON_DOCUMENTS[kind](document)


def documents() -> Iterator[bytes]:
    for path in sorted((DATA / "documents").iterdir()):
        yield path.stem[:1].encode() + path.read_bytes()


def read_layout(content: bytes) -> None:
    """Load an image layout: the first line is its index, the next ones are manifests and blobs."""
    index, *blobs = content.split(b"\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "layout"
        places = folder / "blobs" / "sha256"
        places.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")
        for blob in blobs:
            (places / Digest.of(blob).hex).write_bytes(blob)
        for number, blob in enumerate(blobs):
            # What stands for a blob's digest and size in a mutated document.
            index = index.replace(b"@%d" % number, str(Digest.of(blob)).encode())
            index = index.replace(b"#%d" % number, b"%d" % len(blob))
        (folder / "index.json").write_bytes(index)
        store = Store(Path(name) / "store")
        import_layout(store, folder, where=folder)


def layouts() -> Iterator[bytes]:
    config = b"{}"
    described = {"mediaType": media_types.MODEL_CONFIG, "digest": str(Digest.of(config)), "size": 2}
    manifest = {
        "schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST,
        "artifactType": media_types.MODEL_MANIFEST, "config": described, "layers": [],
    }  # fmt: skip
    index = b'{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"@0","size":#0}]}'
    line = index % media_types.OCI_MANIFEST.encode()
    yield b"\n".join([line, json.dumps(manifest).encode(), config])
