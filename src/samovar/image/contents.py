"""Compare an unpacked image with the bundle that it was made of, before anything of it runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar import __version__
from samovar.bundle.child import Mismatch
from samovar.core import layout
from samovar.core.bundle import BundleDocument
from samovar.core.digest import Digest
from samovar.core.platforms import marker_environment
from samovar.core.receipt import Receipt
from samovar.env.lock import Lock, LockedPackage
from samovar.env.runtime_folder import boot_file, code_files, code_path
from samovar.errors import Damaged, UserError
from samovar.image.config import ENTRYPOINT, VERSION
from samovar.image.installed import SitePackages
from samovar.image.manifest import GRPC_JOB
from samovar.image.paths import BUNDLE, JOB, RUNTIME, START, site_packages
from samovar.image.platform import own_platform

if TYPE_CHECKING:
    from samovar.bundle.opened import Bundle
    from samovar.image.found_image import FoundImage
    from samovar.image.root_files import RootFiles

_SRV: Final = BUNDLE.strip("/")
_MOST_BYTES: Final = 256 * 1024 * 1024
_BEFORE_THE_LOCK: Final = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an image has to hold.

    Parameters
    ----------
    document : BundleDocument
        Names the files.
    receipt : Receipt
        What is replayed.
    lock : bytes
        ``pylock.toml``.
    digest : str or None
        Of the bundle, where it is known from elsewhere than the image's own files.
    """

    document: BundleDocument
    receipt: Receipt
    lock: bytes
    digest: str | None

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Expected:
        """Take a bundle's word."""
        return cls(
            document=bundle.document,
            receipt=bundle.receipt,
            lock=bundle.lock,
            digest=str(bundle.digest),
        )

    @classmethod
    def of_root(cls, root: RootFiles) -> Expected:
        """Take the image's own word, where nobody else knows better.

        Raises
        ------
        UserError
            Where it is no image of samovar's.
        """
        texts = {name: root.read(f"{_SRV}/{name}", most_bytes=_MOST_BYTES) for name in _DOCUMENTS}
        document, receipt, lock = (texts[name] for name in _DOCUMENTS)
        if document is None or receipt is None or lock is None:
            raise UserError(
                f"The image has no {BUNDLE}/{layout.DOCUMENT}; samovar did not build it.",
                hint="Ask its service instead, once it runs: samovar verify http://HOST:PORT "
                "--against BUNDLE.",
                code="not_an_image",
            )
        return cls(
            document=BundleDocument.from_json(_json(document)),
            receipt=Receipt.from_json(_json(receipt)),
            lock=lock,
            digest=None,
        )

    @property
    def packages(self) -> tuple[LockedPackage, ...]:
        """What the lock wants on this machine's platform."""
        markers = marker_environment(own_platform(), self.document.python)
        return Lock.from_bytes(self.lock).packages_for(markers)

    @property
    def wanted(self) -> dict[str, Any]:
        """What the runtime is to check before it loads anything."""
        return {
            "python": self.document.python,
            "packages": [
                {"name": package.name, "version": package.version} for package in self.packages
            ],
        }


_DOCUMENTS: Final = (layout.DOCUMENT, layout.RECEIPT, layout.LOCK)


def compare_contents(image: FoundImage, root: RootFiles, expected: Expected) -> list[Mismatch]:
    """List everything that is not as it was packed: packages, bundle, runtime, what is started."""
    site = SitePackages(root, site_packages(expected.document.python))
    runtime = SitePackages(root, RUNTIME)
    altered = [path for found in runtime.distributions for path in runtime.altered(found)]
    if is_own_version(image):
        code = _own_code()
        altered += [path for path, digest in code.items() if root.digest(path) != digest]
        altered += [path for path in runtime.of_nobody() if path not in code]
    found = site.mismatches(expected.packages)
    found += _mismatch("bundle", expected.digest or expected.document.name, _bundle(root, expected))
    found += _mismatch("samovar", __version__, altered)
    found += _mismatch("image", "as built", [*site.of_nobody(), *_start(image, root, expected)])
    return found


def is_own_version(image: FoundImage) -> bool:
    """Say whether this very samovar knows what the image's runtime looks like."""
    return image.label(VERSION) == __version__


def _mismatch(name: str, wanted: str, files: list[str]) -> list[Mismatch]:
    if not files:
        return []
    return [Mismatch(name=name, wanted=wanted, found="altered", files=tuple(sorted(set(files))))]


def _bundle(root: RootFiles, expected: Expected) -> list[str]:
    """List the bundle's files that are missing, altered, or not the bundle's."""
    wanted = {
        f"{_SRV}/{file.path if file.kind == 'wheel' else f'{layout.PROJECT}/{file.path}'}": (
            file.digest
        )
        for file in expected.document.files
    }
    altered = [path for path, digest in wanted.items() if root.digest(path) != digest]
    documents = {f"{_SRV}/{name}" for name in _DOCUMENTS}
    if expected.digest is not None:
        here = Expected.of_root(root)
        pairs = (
            (layout.DOCUMENT, here.document.to_json(), expected.document.to_json()),
            (layout.RECEIPT, here.receipt.to_json(), expected.receipt.to_json()),
            (layout.LOCK, here.lock, expected.lock),
        )
        altered += [f"{_SRV}/{name}" for name, found, known in pairs if found != known]
    return altered + [path for path in root.below(_SRV) if path not in {*wanted, *documents}]


def _own_code() -> dict[str, Digest]:
    code = {f"{RUNTIME}/{code_path(path)}": Digest.of(path.read_bytes()) for path in code_files()}
    return {**code, f"{RUNTIME}/boot/boot.py": Digest.of(boot_file().read_bytes())}


def _start(image: FoundImage, root: RootFiles, expected: Expected) -> list[str]:
    """List what of the image's start is not what ``build`` writes."""
    entry = image.execution.get("Entrypoint")
    altered = [] if entry == list(ENTRYPOINT) else ["Entrypoint"]
    altered += [f"Env {name}" for name in _BEFORE_THE_LOCK if name in image.variables]
    named = image.variables.get(layout.DIGEST_VARIABLE)
    if named is not None and expected.digest not in {None, named}:
        altered.append(f"Env {layout.DIGEST_VARIABLE}")
    wanted: dict[str, dict[str, Any]] = {
        START: {"verb": "start", "bundle": BUNDLE, "then": JOB},
        JOB: {"verb": "serve", "bundle": BUNDLE, "wanted": expected.wanted},
    }
    for path, fields in wanted.items():
        found = root.read(path.strip("/"), most_bytes=_MOST_BYTES)
        document = None if found is None else _json(found)
        if (
            not isinstance(document, dict)
            or any(document.get(name) != value for name, value in fields.items())
            or document.get("grpc") not in (None, GRPC_JOB)
        ):
            altered.append(path.strip("/"))
    return altered


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise Damaged("A document in the image is not JSON.") from error
