"""The environments that a service's folder needs before it can be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.bundle.environment import prepare
from samovar.bundle.opened import unpack_bundle
from samovar.core import layout
from samovar.env.interpreters import find_interpreter
from samovar.env.lock import Lock
from samovar.env.uv import run_uv
from samovar.env.venv import make_venv
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


def make_uwsgi(bundle: Bundle, folder: Path, progress: Progress) -> None:
    """Make the bundle's own environment in a folder, and uWSGI beside it."""
    lock, wheels = Lock.from_bytes(bundle.lock), folder / layout.WHEELS
    venv = make_venv(
        lock,
        find_interpreter(bundle.document.python),
        folder / "venv",
        wheels=wheels if wheels.is_dir() else None,
        offline=is_offline(),
        progress=progress,
    )
    run_uv(
        ["pip", "install", "-q", "--no-config", "--require-hashes", "--no-deps",
         "--python", str(venv.interpreter.path), "--target", str(folder / "uwsgi"),
         "-r", str(folder / "uwsgi-requirements.txt")],
        offline=is_offline(),
    )  # fmt: skip


def make_cached(home: Home, store: Store, bundle: Bundle, progress: Progress) -> None:
    """Make the environment that ``samovar serve`` will find, so that it starts at once."""
    with home.workspace() as workspace:
        unpacked = unpack_bundle(store, bundle, workspace / "bundle")
        prepare(home, bundle.document, bundle.lock, unpacked=unpacked, progress=progress)
