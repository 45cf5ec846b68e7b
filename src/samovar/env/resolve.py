"""Make a lock: uv resolves, and what it writes is brought into one canonical form.

The form has no command line, no path of a machine, no credentials and no dates, and a marker only
where a distribution is not for every platform of the project; the same resolution therefore gives
the same bytes everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import tomli_w
from packaging.markers import Marker

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.platforms import marker, marker_environment
from samovar.core.toml import parse_toml
from samovar.env.lock import FILE, Lock
from samovar.env.uv import run_uv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samovar.env.interpreters import Interpreter
    from samovar.env.local_packages import LocalWheel
    from samovar.env.requirements import Requirements

_KEPT_FILE_FIELDS: Final = ("name", "url", "path", "size", "hashes")
_USERINFO: Final = re.compile(r"^(https?://)[^/@]+@")


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
    """

    lock: Lock
    changes: tuple[Change, ...]


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
    arguments = ["pip", "compile", "--universal", "--format", "pylock.toml", "--no-header", "-q",
                 "--python", str(interpreter.base), "--python-version", minor,
                 "requirements.in", "-o", FILE]  # fmt: skip
    if requirements.constraints:
        text = "\n".join(requirements.constraints) + "\n"
        (workspace / "constraints.txt").write_text(text, encoding="utf-8")
        arguments += ["-c", "constraints.txt"]
    if upgrade is not None:
        arguments += [word for name in upgrade for word in ("-P", name)] or ["--upgrade"]
    run_uv(arguments, offline=offline, folder=workspace)
    document = canonical_lock(
        parse_toml(output.read_text(encoding="utf-8")),
        minor=minor,
        platforms=platforms,
        wheels={wheel.path.name: wheel for wheel in wheels},
        answers=requirements_digest(requirements, wheels, minor=minor, platforms=platforms),
    )
    lock = Lock.from_bytes(tomli_w.dumps(document).encode())
    return Resolved(lock=lock, changes=_changes(existing, lock))


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


def canonical_lock(
    document: Mapping[str, Any],
    *,
    minor: str,
    platforms: Sequence[str],
    wheels: Mapping[str, LocalWheel],
    answers: str,
) -> dict[str, Any]:
    """Bring a lock document into its canonical form.

    Parameters
    ----------
    document : mapping
        As uv wrote it.
    minor, platforms
        For which it was resolved.
    wheels : mapping of str to LocalWheel
        Wheels that travel along, by file name.
    answers : str
        Digest of the requirements.
    """
    environments = [marker_environment(platform, minor) for platform in sorted(platforms)]
    packages = [_package(package, environments, wheels) for package in document["packages"]]
    packages = [package for package in packages if package is not None]
    return {
        "lock-version": "1.0",
        "environments": [marker(platform, minor) for platform in sorted(platforms)],
        "requires-python": f"=={minor}.*",
        "created-by": "samovar",
        "packages": sorted(packages, key=lambda one: (one["name"], one["version"])),
        "tool": {
            "samovar": {"requirements-digest": answers, "platforms": sorted(platforms)},
        },
    }


def _project(minor: str, platforms: Sequence[str]) -> str:
    """Tell uv for which environments alone it is to resolve."""
    return tomli_w.dumps(
        {
            "project": {"name": "lock", "version": "0", "requires-python": f"=={minor}.*"},
            "tool": {"uv": {"environments": [marker(one, minor) for one in sorted(platforms)]}},
        }
    )


def _package(
    package: Mapping[str, Any],
    environments: Sequence[dict[str, str]],
    wheels: Mapping[str, LocalWheel],
) -> Any:
    """Give one package's table, or None where no platform of the project installs it."""
    kept: dict[str, Any] = {"name": package["name"], "version": package.get("version", "")}
    if "marker" in package:
        holds = [
            Marker(package["marker"]).evaluate(dict(one), context="lock_file")
            for one in environments
        ]
        if not any(holds):
            return None
        if not all(holds):
            kept["marker"] = package["marker"]
    if "archive" in package:
        name = (package["archive"].get("path") or package["archive"].get("url")).rsplit("/", 1)[-1]
        if name in wheels:
            kept["wheels"] = [
                {
                    "name": name,
                    "path": f"wheels/{name}",
                    "size": wheels[name].path.stat().st_size,
                    "hashes": {"sha256": wheels[name].digest.hex},
                }
            ]
        else:
            kept["archive"] = _file(package["archive"])
        return kept
    if "sdist" in package:
        kept["sdist"] = _file(package["sdist"])
    if "wheels" in package:
        kept["wheels"] = sorted(map(_file, package["wheels"]), key=lambda one: str(one["url"]))
    for field in ("vcs", "directory"):
        if field in package:
            kept[field] = package[field]
    return kept


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    kept = {field: file[field] for field in _KEPT_FILE_FIELDS if field in file}
    if "url" in kept:
        kept["url"] = _USERINFO.sub(r"\1", kept["url"])
    return kept


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
