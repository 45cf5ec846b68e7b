"""Make a lock: uv resolves, and what it writes is brought into one form (env/canonical.py)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import tomli_w
from packaging.utils import canonicalize_name

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.platforms import marker
from samovar.core.toml import parse_toml
from samovar.env.canonical import canonical_lock
from samovar.env.local_packages import wheels_of_folders
from samovar.env.lock import FILE, Lock
from samovar.env.uv import YANKED_HINT, ask_uv
from samovar.errors import InvalidRequirements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from samovar.env.interpreters import Interpreter
    from samovar.env.local_packages import LocalWheel
    from samovar.env.requirements import Requirements

_YANKED: Final = re.compile(
    r"^warning: `([^`]+)` is yanked(?: \(reason: \"?(.*?)\"?\))?$", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A distribution whose version is another than before."""

    name: str
    before: str | None
    after: str | None

    def to_json(self) -> dict[str, str | None]:
        """Give the object that ``lock`` prints."""
        return {"name": self.name, "from": self.before, "to": self.after}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A new lock.

    Parameters
    ----------
    lock : Lock
        In canonical form.
    changes : tuple of Change
        Against the lock before, by name.
    found : tuple of LocalWheel
        Wheels out of folders (``--find-links``); they travel with the lock.
    """

    lock: Lock
    changes: tuple[Change, ...]
    found: tuple[LocalWheel, ...] = ()


def resolve(
    requirements: Requirements,
    wheels: Sequence[LocalWheel],
    *,
    interpreter: Interpreter,
    platforms: Sequence[str],
    existing: Lock | None,
    upgrade: Sequence[str] | None,
    workspace: Path,
    offline: bool,
) -> Resolved:
    """Resolve requirements for all platforms.

    Parameters
    ----------
    requirements : Requirements
        What the project asks for.
    wheels : sequence of LocalWheel
        Its local packages, built.
    interpreter : Interpreter
        Builds sdists whose metadata is not known.
    platforms : sequence of str
        ``linux/amd64``, ...
    existing : Lock, optional
        Its versions are kept where they still fit.
    upgrade : sequence of str, optional
        Distributions to bring to their newest version; empty for all; None for none.
    workspace : Path
        An empty folder for the work.
    offline : bool
        Open no connection.

    Raises
    ------
    InvalidRequirements
        Where they cannot be satisfied together, or one cannot be read.
    Unavailable
        Where the index cannot be reached.
    """
    minor = interpreter.minor
    output = workspace / FILE
    if existing is not None:
        output.write_bytes(existing.data)
    (workspace / "pyproject.toml").write_text(_project(minor, platforms), encoding="utf-8")
    lines = [*requirements.options, *requirements.specifiers]
    lines += [
        f"{wheel.name}{requirements.extras.get(path, '')} @ {wheel.path.absolute().as_uri()}"
        for path, wheel in zip(requirements.local, wheels, strict=True)
    ]
    (workspace / "requirements.in").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["pip", "compile", "--universal", "--format", "pylock.toml", "--no-header",
                 "--python", str(interpreter.base), "--python-version", minor,
                 "requirements.in", "-o", FILE]  # fmt: skip
    if requirements.constraints:
        text = "\n".join(requirements.constraints) + "\n"
        (workspace / "constraints.txt").write_text(text, encoding="utf-8")
        arguments += ["-c", "constraints.txt"]
    if upgrade is not None:
        arguments += [word for name in upgrade for word in ("-P", name)] or ["--upgrade"]
    _refuse_yanked(ask_uv(arguments, offline=offline, folder=workspace).stderr)
    written = parse_toml(output.read_text(encoding="utf-8"))
    found = wheels_of_folders(written)
    document = canonical_lock(
        written,
        minor=minor,
        platforms=platforms,
        wheels={wheel.path.name: wheel for wheel in (*wheels, *found)},
        answers=requirements_digest(requirements, wheels, minor=minor, platforms=platforms),
    )
    lock = Lock.from_bytes(tomli_w.dumps(document).encode())
    _refuse_unknown(upgrade or (), lock)
    return Resolved(lock=lock, changes=_changes(existing, lock), found=found)


def _refuse_unknown(names: Sequence[str], lock: Lock) -> None:
    """Refuse to upgrade what the project does not use: it is a slip of the hand."""
    known = {package.name for package in lock.packages}
    for name in names:
        if canonicalize_name(name) not in known:
            near = get_close_matches(canonicalize_name(name), known, 1)
            raise InvalidRequirements(
                f"Nothing here needs {name}, so that it cannot be upgraded.",
                hint=f"Did you mean {near[0]}?" if near else "The names are in pylock.toml.",
                code="unknown_package",
            )


def _refuse_yanked(said: str) -> None:
    """Refuse pins of withdrawn versions, which uv only warns of: the index may drop the file."""
    yanked = _YANKED.findall(said)
    if yanked:
        raise InvalidRequirements(
            f"{' and '.join(name for name, _ in yanked)} was withdrawn (yanked) from the index.",
            why="; ".join(reason for _, reason in yanked if reason) or None,
            hint=YANKED_HINT,
            code="yanked",
        )


def requirements_digest(
    requirements: Requirements,
    wheels: Sequence[LocalWheel],
    *,
    minor: str,
    platforms: Sequence[str],
) -> str:
    """Give the digest of what a lock has to answer; index options are no part of it."""
    return str(
        Digest.of(
            canonical_json(
                {
                    "specifiers": sorted(requirements.specifiers),
                    "constraints": sorted(requirements.constraints),
                    "local": sorted(str(wheel.digest) for wheel in wheels),
                    "extras": sorted(requirements.extras.values()),
                    "python": minor,
                    "platforms": sorted(platforms),
                }
            )
        )
    )


def _project(minor: str, platforms: Sequence[str]) -> str:
    """Tell uv for which environments alone it is to resolve."""
    return tomli_w.dumps(
        {
            "project": {"name": "lock", "version": "0", "requires-python": f"=={minor}.*"},
            "tool": {"uv": {"environments": [marker(one, minor) for one in sorted(platforms)]}},
        }
    )


def _changes(existing: Lock | None, lock: Lock) -> tuple[Change, ...]:
    before = {} if existing is None else _versions(existing)
    after = _versions(lock)
    return tuple(
        Change(name=name, before=before.get(name), after=after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _versions(lock: Lock) -> dict[str, str]:
    versions: dict[str, list[str]] = {}
    for package in lock.packages:
        versions.setdefault(package.name, []).append(package.version)
    return {name: " / ".join(sorted(found)) for name, found in versions.items()}
