"""From a TARGET to an open bundle: packed, loaded or pulled first where it is not in the store.

What locks, packs, loads and pulls is imported where it is needed: most targets are in the store.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from samovar.bundle.opened import Bundle, open_bundle, unpack_bundle
from samovar.bundle.target import (
    Archive,
    LayoutFolder,
    ModelFile,
    ProjectFolder,
    Remote,
    Stored,
    Target,
)
from samovar.core.reference import Reference
from samovar.errors import NotFound, UserError
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.bundle.environment import LockedEnvironment
    from samovar.bundle.pack import Packed
    from samovar.core.descriptor import Descriptor
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


def resolve(
    home: Home, store: Store, target: Target, progress: Progress
) -> tuple[Reference, Bundle]:
    """Open the bundle that a TARGET means.

    Returns
    -------
    tuple of Reference and Bundle
        What it is called, and the bundle.

    Raises
    ------
    NotFound
        Where it is neither here nor in a registry.
    UserError
        Where it is something that a bundle cannot be made of.
    """
    if isinstance(target, Stored):
        return target.reference, open_bundle(store, _find(store, target.reference, progress))
    if isinstance(target, ProjectFolder):
        reference, packed = pack_folder(home, store, target.path, tag=None, progress=progress)
        return reference, packed.bundle
    if isinstance(target, (Archive, LayoutFolder)):
        return _load(home, store, target)
    if isinstance(target, ModelFile):
        raise UserError(
            f"{target.path} is a model file, not a bundle.",
            hint="Run 'samovar init' and 'samovar pack' in its folder.",
            code="not_a_bundle",
        )
    if isinstance(target, Remote):
        raise UserError(
            f"{target.address} is not a bundle.",
            hint="Give a name, a folder, a .tar or a registry reference.",
            code="not_a_bundle",
        )
    raise AssertionError(target)


def pack_folder(
    home: Home, store: Store, folder: Path, *, tag: Reference | None, progress: Progress
) -> tuple[Reference, Packed]:
    """Pack the project in a folder, locking it first where it has no lock."""
    from samovar.bundle.locking import lock_of
    from samovar.bundle.pack import pack_project
    from samovar.project.config import read_project

    project = read_project(folder)
    reference = tag or Reference.parse(project.project.name)
    with home.workspace() as workspace:
        locked = lock_of(home, project, workspace=workspace, progress=progress)
        packed = pack_project(
            home,
            store,
            project,
            locked.lock,
            wheels=locked.wheels_folder,
            names=(reference,),
            progress=progress,
        )
    return reference, packed


def locked_of(
    home: Home, store: Store, target: Target, workspace: Path, progress: Progress
) -> LockedEnvironment:
    """Give the locked environment of a TARGET: a project is not packed for it.

    Parameters
    ----------
    workspace : Path
        An empty folder; the wheels that travel with the lock stay in it.
    """
    from samovar.bundle.environment import LockedEnvironment, locked_environment
    from samovar.bundle.locking import lock_of
    from samovar.env.lock import Lock

    if isinstance(target, ProjectFolder):
        from samovar.project.config import read_project

        project = read_project(target.path)
        locked = lock_of(home, project, workspace=workspace, progress=progress)
        return LockedEnvironment(
            lock=locked.lock, python=project.project.python, wheels=locked.wheels_folder
        )
    _, bundle = resolve(home, store, target, progress)
    unpacked = unpack_bundle(store, bundle, workspace / "bundle")
    return locked_environment(bundle.document, Lock.from_bytes(bundle.lock), unpacked)


def _find(store: Store, reference: Reference, progress: Progress) -> Descriptor:
    try:
        return store.resolve(reference)
    except NotFound:
        if not reference.is_remote or is_offline():
            raise
    from samovar.bundle.checking import check_content
    from samovar.registry.pull import pull

    progress(f"Pulling {reference}")
    return pull(store, reference, check=partial(check_content, store.blobs)).descriptor


def _load(home: Home, store: Store, target: Archive | LayoutFolder) -> tuple[Reference, Bundle]:
    from samovar.bundle.archive import import_layout, load

    if isinstance(target, Archive):
        loaded = load(home, store, target.path)
    else:
        loaded = import_layout(store, target.path, where=target.path)
    if len(loaded) != 1:
        raise UserError(
            f"{target.path} has {len(loaded)} bundles.",
            hint="'samovar load' it and give one of their names.",
        )
    reference, descriptor = loaded[0]
    bundle = open_bundle(store, descriptor)
    return reference or Reference.parse(bundle.document.name), bundle
