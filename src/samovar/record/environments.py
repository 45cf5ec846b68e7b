"""The environment of an execution: of a lock, or of versions taken from two locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomli_w

from samovar.core.platforms import platform_of
from samovar.core.toml import parse_toml
from samovar.env.interpreters import find_interpreter
from samovar.env.lock import Lock
from samovar.env.requirements import Requirements
from samovar.env.resolve import resolve
from samovar.env.uv import run_uv
from samovar.env.venv import Venv, cached_venv
from samovar.errors import InvalidRequirements, SamovarError, Unavailable
from samovar.store.home import is_offline

_MOST_VERSIONS = 100

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from samovar.env.interpreters import Interpreter
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


def environment_of(home: Home, store: Store, lock: Lock, minor: str, *, progress: Progress) -> Venv:
    """Give the cached environment of a lock; its local wheels are among the store's blobs."""
    base = find_interpreter(minor)
    with home.workspace() as workspace:
        return cached_venv(
            home.envs,
            lock,
            base,
            wheels=wheels_folder(store, lock, workspace),
            offline=is_offline(),
            progress=progress,
        )


def packages_of(lock: Lock, interpreter: Interpreter) -> dict[str, str]:
    """Give what a lock installs for an interpreter, by normalised name."""
    return {package.name: package.version for package in lock.packages_for(interpreter.markers)}


def compose_lock(
    locks: Sequence[Lock], packages: Mapping[str, str], *, interpreter: Interpreter, workspace: Path
) -> Lock:
    """Make a lock of exact versions, each with the files that one of the locks has for it.

    Parameters
    ----------
    locks : sequence of Lock
        Where versions are looked for, first come first served.
    packages : mapping of str to str
        Name to version.
    interpreter : Interpreter
        For which it is made.
    workspace : Path
        An empty folder, for versions that no lock has: they are resolved anew.

    Raises
    ------
    InvalidRequirements
        Where the versions cannot be installed together.
    """
    tables = [_table(locks, name, version) for name, version in sorted(packages.items())]
    known = [table for table in tables if table is not None]
    if len(known) == len(tables):
        document = {"lock-version": "1.0", "created-by": "samovar", "packages": known}
        return Lock.from_bytes(tomli_w.dumps(document).encode())
    platform = platform_of(
        interpreter.markers["sys_platform"], interpreter.markers["platform_machine"]
    )
    if platform is None:
        raise Unavailable("This platform has no name, so nothing can be resolved for it.")
    return resolve(
        Requirements(specifiers=tuple(f"{name}=={version}" for name, version in packages.items())),
        (),
        interpreter=interpreter,
        platforms=[platform],
        existing=None,
        upgrade=None,
        workspace=workspace,
        offline=is_offline(),
    ).lock


def check_together(venv: Venv) -> str | None:
    """Say which distributions of an environment do not fit together; None where all do."""
    try:
        run_uv(["pip", "check", "-q", "--python", str(venv.interpreter.path)], offline=True)
    except SamovarError as error:
        return error.why or error.message
    return None


def published_between(name: str, one: str, other: str, interpreter: Interpreter) -> list[str]:
    """Give the released versions strictly between two, in the order from one to the other.

    The resolver is asked for the newest below a bound, and the bound is lowered, so that what the
    index has and what this interpreter can use are both known.
    """
    from packaging.version import Version

    low, high = sorted((Version(one), Version(other)))
    found: list[str] = []
    while len(found) < _MOST_VERSIONS:
        try:
            listed = run_uv(
                ["pip", "compile", "-q", "--no-deps", "--no-header", "--no-annotate",
                 "--python", str(interpreter.path), "-"],
                offline=is_offline(),
                text=f"{name}>{low},<{high}",
            )  # fmt: skip
        except SamovarError:
            break
        newest = listed.strip().partition("==")[2].split()[:1]
        if not newest or Version(newest[0]) >= high:
            break
        found.append(newest[0])
        high = Version(newest[0])
    return found if Version(one) > Version(other) else found[::-1]


def wheels_in(lock: Lock) -> list[tuple[str, str]]:
    """Name the files that travel with a lock: path and hexadecimal digest."""
    return [
        (file.path, file.sha256)
        for package in lock.packages
        for file in package.files
        if file.path is not None
    ]


def wheels_folder(store: Store, lock: Lock, workspace: Path) -> Path | None:
    """Write the wheels that travel with a lock into a folder; None where there are none.

    Raises
    ------
    InvalidRequirements
        Where one is not kept any more.
    """
    from samovar.core.digest import Digest

    local = wheels_in(lock)
    if not local:
        return None
    folder = workspace / "wheels"
    folder.mkdir()
    for path, sha256 in local:
        blob = store.blob_path(Digest(f"sha256:{sha256}"))
        if not blob.is_file():
            raise InvalidRequirements(
                f"The local package {path} is not kept any more.", code="data_gone"
            )
        (folder / path.rsplit("/", 1)[-1]).write_bytes(blob.read_bytes())
    return folder


def _table(locks: Sequence[Lock], name: str, version: str) -> dict[str, Any] | None:
    """Give a package's table from the first lock that has it, for every platform."""
    for lock in locks:
        for table in parse_toml(lock.data.decode())["packages"]:
            if table["name"] == name and table.get("version") == version:
                return {key: value for key, value in table.items() if key != "marker"}
    return None
