"""From a TARGET on the line to the open bundle that a command works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.bundle.resolve import locked_of, resolve
from samovar.bundle.target import read_target
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.bundle.environment import LockedEnvironment
    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen


def open_target(screen: Screen, text: str | None) -> tuple[str, Bundle]:
    """Open the bundle that a TARGET means, with progress; None is the current folder's project."""
    home = Home.locate()
    store = Store(home.store)
    target = read_target(text, store)
    with screen.progress("Opening the bundle") as progress:
        reference, bundle = resolve(home, store, target, progress)
    return str(reference), bundle


def open_lock(
    text: str | None, workspace: Path, progress: Callable[[str], None]
) -> LockedEnvironment:
    """Give the locked environment that a TARGET means; wheels that travel with it are unpacked."""
    home = Home.locate()
    store = Store(home.store)
    return locked_of(home, store, read_target(text, store), workspace, progress)
