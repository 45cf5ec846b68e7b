"""Verify an image: compare what is in it with what was packed, then replay its receipt there."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.child import Mismatched
from samovar.bundle.verify import Verification, judged
from samovar.core import layout
from samovar.env.docker import docker, image_id
from samovar.errors import Damaged, Unavailable
from samovar.image import private_root
from samovar.image.base_contents import ComparedBase, base_mismatches, compare_base
from samovar.image.contents import Expected, compare_contents, is_own_version
from samovar.image.find_image import find_image
from samovar.image.found_image import claimed_bundle
from samovar.image.lend import lent
from samovar.image.paths import BUNDLE
from samovar.image.platform import own_platform
from samovar.image.replay import in_engine, in_private_root
from samovar.image.root_files import RootFiles
from samovar.model.audit import audit_model, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.image.found_image import FoundImage
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

AUTO: Final = "auto"
ENGINE: Final = "docker"
ROOT: Final = "root"
ISOLATIONS: Final = (AUTO, ENGINE, ROOT)


def verify_image(
    home: Home,
    store: Store,
    text: str,
    *,
    against: Bundle | None,
    isolation: str = AUTO,
    progress: Progress,
) -> Verification:
    """Say whether an image still is, and still predicts, what was packed.

    Nothing of the image runs before its files were compared with the bundle, the lock and each
    package's RECORD, and before its model passed the audit.

    Parameters
    ----------
    text : str
        Which image (image/find_image.py).
    against : Bundle, optional
        What it has to be; by default the bundle beside it in its index, else the store's of the
        digest that it names, else what it says itself.
    isolation : str
        ``docker``, ``root`` or ``auto``: the engine where the image is in it, else a private root
        where this machine allows one, else the engine.

    Raises
    ------
    NotFound
        Where there is no such image.
    Refused
        Where a layer or the model is hostile.
    Unavailable
        Where it can run neither way here.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        workspace = stack.enter_context(home.workspace())
        image = find_image(store, text, workspace=workspace, progress=progress)
        if image.platform != own_platform():
            raise Unavailable(
                f"The image is for {image.platform}; this machine runs {own_platform()}.",
                hint="Verify it on such a machine.",
                code="wrong_platform",
            )
        where = _isolation(image, isolation)
        progress("Unpacking the image")
        image.unpack(workspace / "root")
        root = RootFiles(workspace / "root")
        progress("Comparing it with its lock")
        bundle = against or claimed_bundle(store, image)
        expected = Expected.of_root(root) if bundle is None else Expected.of_bundle(bundle)
        mismatches = compare_contents(image, root, expected)
        base = compare_base(home, store, image, root, workspace)
        mismatches += base_mismatches(base, mismatches)
        answer: dict[str, Any] | Mismatched = Mismatched(mismatches=tuple(mismatches))
        if not mismatches:
            _audit(root, expected)
            progress("Replaying the receipt")
            answer = _replay(image, root.folder, expected, where, stack)
    return judged(
        answer,
        expected.receipt,
        elapsed_s=time.monotonic() - started,
        image=_facts(image, expected, where, base),
    )


def _facts(
    image: FoundImage, expected: Expected, where: str, base: ComparedBase
) -> Mapping[str, Any]:
    return {
        "id": str(image.digest),
        "platform": image.platform,
        "from": image.where,
        "isolation": where,
        "bundle": expected.digest,
        "runtime_compared": is_own_version(image),
        "base": base.name,
        "base_compared": base.is_known,
    }


def _isolation(image: FoundImage, asked: str) -> str:
    missing = private_root.why_not()
    if asked == ENGINE or (asked == AUTO and (image.where == "engine" or missing is not None)):
        if asked == AUTO and image.where != "engine" and not _has_engine():
            raise _neither(missing)
        return ENGINE
    if missing is not None:
        raise _neither(missing)
    return ROOT


def _has_engine() -> bool:
    try:
        docker(["version", "--format", "{{.Server.Version}}"])
    except Unavailable:
        return False
    return True


def _neither(missing: str | None) -> Unavailable:
    return Unavailable(
        "An image cannot be run here.",
        why=missing,
        hint="Allow user namespaces, run as root, or start a Docker engine (--isolation docker).",
        code="no_isolation",
    )


def _audit(root: RootFiles, expected: Expected) -> None:
    """Audit the image's model; its bytes are those that the bundle names."""
    model = expected.document.model
    path = root.find(f"{BUNDLE}/{layout.PROJECT}/{model.path}")
    if path is None:
        raise Damaged(f"The image has no {model.path}.")
    report = audit_model(path, trusted=model.trusted, factory=model.factory)
    if not report.ok:
        raise refusal(report, path)


def _replay(
    image: FoundImage, root: Path, expected: Expected, where: str, stack: ExitStack
) -> dict[str, Any] | Mismatched:
    if where == ROOT:
        return in_private_root(root, expected.receipt, expected.wanted, image.variables)
    identity = str(image.digest)
    if image.where != "engine" and image_id(identity) is None:
        identity = stack.enter_context(lent(image, root.parent))
    return in_engine(identity, expected.receipt, expected.wanted)
