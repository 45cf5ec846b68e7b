"""From the line and the project to the policy of a deployment, and its enforcement."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.attest.policy import find_policy
from samovar.bundle.target import ProjectFolder, read_target
from samovar.core.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.bundle.opened import Bundle
    from samovar.core.descriptor import Descriptor
    from samovar.store.layout import Store


def policy_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--policy``."""
    return click.option(
        "--policy",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Ask for what [policy] in FILE says, instead of the project's.",
    )(function)


def enforce_policy(
    store: Store,
    target: str | None,
    name: str,
    bundle: Bundle,
    policy: Path | None,
    *,
    with_index: bool,
) -> None:
    """Refuse a bundle that lacks what the policy asks for; where there is no policy, nothing.

    Parameters
    ----------
    target : str or None
        As on the line.
    name : str
        What the bundle is called.
    policy : Path, optional
        The file of ``--policy``.
    with_index : bool
        Whether images would run: the index that lists them must be vouched for too.

    Raises
    ------
    Refused
        Saying what is missing.
    """
    found = find_policy(policy, project_of(store, target))
    if found is not None:
        from samovar.attest.enforce import require  # cryptography is slow to import

        root = root_of(store, name, bundle) if with_index else None
        require(store, found, bundle.descriptor, root=root, now=datetime.now(timezone.utc))


def project_of(store: Store, target: str | None) -> Path:
    """Give the folder whose ``samovar.toml`` speaks for a TARGET: the project's, or this one."""
    found = read_target(target, store)
    return found.path if isinstance(found, ProjectFolder) else Path.cwd()


def root_of(store: Store, name: str, bundle: Bundle) -> Descriptor:
    """Give what a name points to, where it leads to this bundle; else the bundle itself."""
    from samovar.errors import NotFound

    reference = Reference.parse(name)
    try:
        root = store.resolve(reference)
    except NotFound:
        return bundle.descriptor
    from samovar.bundle.opened import find_manifest

    leads_to, _ = find_manifest(store, root)
    return root if leads_to.digest == bundle.digest else bundle.descriptor
