"""Take any image as the base: its C library and Python are read, nothing of it is run."""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.core import media_types
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import Index, Manifest
from samovar.core.reference import Reference
from samovar.errors import Damaged, EnvironmentMismatch, UserError
from samovar.image.base import Base
from samovar.image.made import Layer
from samovar.image.platform import Libc
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

_VERSION: Final = 1
_GZIP: Final = frozenset({media_types.OCI_LAYER_GZIP, media_types.DOCKER_LAYER_GZIP})
_PLAIN: Final = frozenset(
    {media_types.OCI_LAYER_TAR, "application/vnd.docker.image.rootfs.diff.tar"}
)
_PYTHON: Final = re.compile(r"(?:usr/local/|usr/|opt/[\w.-]+/)?bin/python(3\.\d+)")
_GLIBC: Final = re.compile(rb"GNU C Library [^\n\0]{0,80}?version (\d+)\.(\d+)")
_GLIBC_FILE: Final = re.compile(
    r"(?:usr/)?lib(?:64|/[\w-]+-linux-gnu)?/libc(?:-[\d.]+)?\.so(?:\.6)?"
)
_MUSL_LOADER: Final = re.compile(r"lib/ld-musl-[\w-]+\.so\.1")
_APK: Final = "lib/apk/db/installed"
_OLDEST_MUSL: Final = (1, 1)
_ORDER: Final = ("usr/local/bin/", "usr/bin/", "bin/")
_CHUNK: Final = 1 << 20
_MAX_CONFIG_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read out of an image's layers.

    Parameters
    ----------
    libc : Libc
        Its C library.
    pythons : dict of str to str
        Minor version to the interpreter's path.
    """

    libc: Libc
    pythons: dict[str, str]


def image_base(
    home: Home, store: Store, text: str, *, python: str, platform: str, progress: Progress
) -> Base:
    """Bring an image's layers into the store and say what they hold.

    Parameters
    ----------
    text : str
        A reference, or the folder of an OCI layout.
    python : str
        Minor version that is wanted.
    platform : str
        ``linux/amd64``, ...

    Raises
    ------
    EnvironmentMismatch
        Where the image has no such Python.
    UserError
        Where it is not for the platform, or has layers that cannot be read.
    """
    name, descriptor, manifest = _manifest(store, text, platform, progress)
    if manifest.config.size_bytes > _MAX_CONFIG_BYTES:
        raise Damaged(f"The configuration of {text} is too large.")
    config = _config(store.read_blob(manifest.config), text)
    found = _inspect(home, store, descriptor, manifest, text, progress)
    if python not in found.pythons:
        has = ", ".join(sorted(found.pythons)) or "none"
        raise EnvironmentMismatch(
            f"The base {text} has no Python {python}.",
            why=f"The model was made with Python {python}; Pythons in the base: {has}.",
            hint=f"Name a base with Python {python}.",
            code="wrong_python",
        )
    return Base(
        name=name,
        digest=descriptor.digest,
        layers=_layers(manifest, config, text),
        python=found.pythons[python],
        minor=python,
        libc=found.libc,
        variables=_variables(config),
    )


def _manifest(
    store: Store, text: str, platform: str, progress: Progress
) -> tuple[str, Descriptor, Manifest]:
    """Find the manifest for a platform, with its blobs in the store."""
    if Path(text).is_dir():
        return _from_layout(store, Path(text), platform)
    reference = Reference.parse(text)
    if not reference.is_remote:
        # Docker's own short names.
        name = reference.name if "/" in reference.name else f"library/{reference.name}"
        reference = Reference(
            registry="docker.io", name=name, tag=reference.tag, digest=reference.digest
        )
    from samovar.registry.options import Options
    from samovar.registry.pull import pull
    from samovar.registry.remote import opened, read_root

    progress(f"Pulling the base {reference}")
    digest = reference.digest
    if digest is None or not store.has_blob(digest):
        with opened(reference) as remote:
            root, data = read_root(remote, reference)
            content = _document(root, data)
            if isinstance(content, Index):
                root = _for_platform(content, platform, text)
    else:
        root = store.describe_blob(digest)
        content = store.read_document(root)
        if isinstance(content, Index):
            root = _for_platform(content, platform, text)
    exact = Reference(registry=reference.registry, name=reference.name, digest=root.digest)
    descriptor = pull(store, exact, options=Options(referrers=False)).descriptor
    manifest = store.read_document(descriptor)
    if not isinstance(manifest, Manifest):
        raise UserError(f"{text} is an index in an index.", code="not_an_image")
    return str(reference), descriptor, manifest


def _from_layout(store: Store, folder: Path, platform: str) -> tuple[str, Descriptor, Manifest]:
    blobs = folder / "blobs" / "sha256"
    content: Manifest | Index = Index.from_bytes((folder / "index.json").read_bytes())
    descriptor = None
    while isinstance(content, Index):
        descriptor = _for_platform(content, platform, str(folder))
        data = (blobs / descriptor.digest.hex).read_bytes()
        if Digest.of(data) != descriptor.digest:
            raise Damaged(f"{descriptor.digest} in {folder} is not what its digest says.")
        content = _document(descriptor, data)
    assert descriptor is not None, "an index was read first"
    for blob in content.blobs:
        with (blobs / blob.digest.hex).open("rb") as file:
            store.put_stream(
                iter(partial(file.read, _CHUNK), b""),
                expected=blob.digest,
                size_bytes=blob.size_bytes,
            )
    return folder.name, store.put_document(content), content


def _for_platform(index: Index, platform: str, text: str) -> Descriptor:
    known = []
    for found in index.manifests:
        if found.platform is None:
            if len(index.manifests) == 1:
                return found
            continue
        name = f"{found.platform.os}/{found.platform.architecture}"
        known.append(str(found.platform))
        if name == platform:
            return found
    raise UserError(
        f"The base {text} is not for {platform}.",
        why=f"It is for {', '.join(sorted(known)) or 'no platform that it names'}.",
        hint="Choose another --platform or --base.",
        code="unknown_platform",
    )


def _document(descriptor: Descriptor, data: bytes) -> Manifest | Index:
    if descriptor.media_type in media_types.INDEXES:
        return Index.from_bytes(data)
    return Manifest.from_bytes(data)


def _config(data: bytes, text: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
        if isinstance(document["rootfs"]["diff_ids"], list):
            return dict(document)
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"The configuration of {text} is not an image's.") from error
    raise Damaged(f"The configuration of {text} is not an image's.")


def _layers(manifest: Manifest, config: dict[str, Any], text: str) -> tuple[Layer, ...]:
    diff_ids = config["rootfs"]["diff_ids"]
    if len(diff_ids) != len(manifest.layers):
        raise Damaged(
            f"The configuration of {text} has another number of layers than its manifest."
        )
    made = []
    for blob, diff_id in zip(manifest.layers, diff_ids, strict=True):
        if blob.media_type not in _GZIP | _PLAIN:
            raise UserError(
                f"The base {text} has a layer of type {blob.media_type}.",
                why="Docker 20.10, for one, cannot load such a layer.",
                hint="Convert it: skopeo copy --dest-compress-format gzip ...",
                code="unknown_layer",
            )
        plain = blob.media_type in _PLAIN
        media_type = media_types.OCI_LAYER_TAR if plain else media_types.OCI_LAYER_GZIP
        descriptor = Descriptor(
            media_type=media_type, digest=blob.digest, size_bytes=blob.size_bytes
        )
        made.append(Layer(descriptor=descriptor, diff_id=Digest.parse(diff_id), what="base"))
    return tuple(made)


def _variables(config: dict[str, Any]) -> dict[str, str]:
    lines = (config.get("config") or {}).get("Env") or []
    return dict(line.split("=", 1) for line in lines if isinstance(line, str) and "=" in line)


def _inspect(
    home: Home,
    store: Store,
    descriptor: Descriptor,
    manifest: Manifest,
    text: str,
    progress: Progress,
) -> Found:
    """Read the layers once; what was found is remembered by the manifest's digest."""
    memory = home.cache("bases") / f"{descriptor.digest.hex}-{_VERSION}.json"
    try:
        document = json.loads(memory.read_bytes())
        libc = Libc(**document["libc"])
        return Found(libc=libc, pythons=dict(document["pythons"]))
    except (OSError, ValueError, KeyError, TypeError):
        progress(f"Reading the base {text}")
    scan = _Scan()
    for layer in manifest.layers:
        with store.open_blob(layer) as file:
            scan.read(file, zipped=layer.media_type in _GZIP)
    found = scan.result(text)
    document = {
        "libc": {"name": found.libc.name, "major": found.libc.major, "minor": found.libc.minor},
        "pythons": found.pythons,
    }
    write_file(memory, canonical_json(document))
    return found


class _Scan:
    """Remember of each layer what tells the C library and the interpreters."""

    def __init__(self) -> None:
        self._pythons: set[str] = set()
        self._musl = False
        self._version: tuple[int, int] | None = None

    def read(self, file: IO[bytes], *, zipped: bool) -> None:
        """Read one layer; a later layer may remove what an earlier one brought."""
        stream: Any = gzip.GzipFile(fileobj=file) if zipped else file
        try:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    self._see(archive, member)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise Damaged("A layer of the base is damaged.", why=str(error)) from error

    def _see(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = member.name.removeprefix("./").lstrip("/")
        folder, _, name = path.rpartition("/")
        if name.startswith(".wh."):
            self._pythons.discard(f"{folder}/{name.removeprefix('.wh.')}")
        elif _PYTHON.fullmatch(path) and not member.isdir():
            self._pythons.add(path)
        elif _MUSL_LOADER.fullmatch(path):
            self._musl = True
        elif path == _APK and member.isreg():
            content = archive.extractfile(member)
            text = b"" if content is None else content.read()
            match = re.search(rb"^P:musl\nV:(\d+)\.(\d+)", text, re.MULTILINE)
            if match is not None:
                self._version = int(match[1]), int(match[2])
        elif _GLIBC_FILE.fullmatch(path) and member.isreg():
            content = archive.extractfile(member)
            match = None if content is None else _GLIBC.search(content.read())
            if match is not None:
                self._version = int(match[1]), int(match[2])

    def result(self, text: str) -> Found:
        """Draw the conclusion."""
        if self._musl:
            major, minor = self._version or _OLDEST_MUSL
        elif self._version is not None:
            major, minor = self._version
        else:
            raise UserError(
                f"The base {text} has neither glibc nor musl.",
                hint="Name an image with a Python for Linux.",
                code="unknown_libc",
            )
        pythons: dict[str, str] = {}
        for path in sorted(self._pythons, key=_rank):
            match = _PYTHON.fullmatch(path)
            assert match is not None, "only such paths were kept"
            pythons.setdefault(match[1], f"/{path}")
        libc = Libc(name="musl" if self._musl else "glibc", major=major, minor=minor)
        return Found(libc=libc, pythons=pythons)


def _rank(path: str) -> tuple[int, str]:
    folder = path.rpartition("/")[0] + "/"
    return (_ORDER.index(folder) if folder in _ORDER else len(_ORDER), path)
