"""The one form in which a lock is written: the same resolution gives the same bytes everywhere.

It has no command line, no path of a machine, no credentials and no dates, and a marker only where a
distribution is not for every platform of the project.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from packaging.markers import Marker

from samovar.core.platforms import marker, marker_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samovar.env.local_packages import LocalWheel

_KEPT_FILE_FIELDS: Final = ("name", "url", "path", "size", "hashes")
_USERINFO: Final = re.compile(r"^(https?://)[^/]*@")
# What no platform's short name decides: a marker that asks for it is kept as it is.
_OF_THE_MACHINE: Final = ("platform_release", "platform_version", "implementation_version")


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


def _package(
    package: Mapping[str, Any],
    environments: Sequence[dict[str, str]],
    wheels: Mapping[str, LocalWheel],
) -> Any:
    """Give one package's table, or None where no platform of the project installs it."""
    kept: dict[str, Any] = {"name": package["name"], "version": package.get("version", "")}
    if "marker" in package:
        holds = _holds(package["marker"], environments)
        if not any(holds):
            return None
        if not all(holds):
            kept["marker"] = package["marker"]
    if "archive" in package:
        name = _name_of(package["archive"])
        if name in wheels:
            kept["wheels"] = [_travelling(wheels[name])]
        else:
            kept["archive"] = _file(package["archive"])
        return kept
    if "sdist" in package and not _is_of_folder(package["sdist"]):
        kept["sdist"] = _file(package["sdist"])
    if "wheels" in package:
        files = [
            _travelling(wheels[_name_of(one)]) if _is_of_folder(one) else _file(one)
            for one in package["wheels"]
        ]
        kept["wheels"] = sorted(files, key=lambda one: str(one.get("url", one.get("path"))))
    for field in ("vcs", "directory"):
        if field in package:
            kept[field] = package[field]
    return kept


def _holds(text: str, environments: Sequence[dict[str, str]]) -> list[bool]:
    """Say where a marker is true, for each environment at every patch version that it tells apart.

    A lock is for a minor version, so ``python_full_version < '3.11.4'`` is true in a part of it.
    """
    if any(name in text for name in _OF_THE_MACHINE):
        return [True, False]
    marker_ = Marker(text)
    holds = []
    for one in environments:
        minor = one["python_version"]
        named = {int(patch) for patch in re.findall(rf"{re.escape(minor)}\.(\d+)", text)}
        patches = {0, 999, *named, *(patch + 1 for patch in named)}
        for patch in sorted(patches):
            environment = {**one, "python_full_version": f"{minor}.{patch}"}
            holds.append(marker_.evaluate(environment, context="lock_file"))
    return holds


def _name_of(file: Mapping[str, Any]) -> str:
    place: str = file.get("path") or file["url"]
    return unquote(place.rsplit("/", 1)[-1])


def _is_of_folder(file: Mapping[str, Any]) -> bool:
    return "path" in file or str(file.get("url", "")).startswith("file:")


def _travelling(wheel: LocalWheel) -> dict[str, Any]:
    """Name a wheel that travels with the lock, by its place beside it."""
    return {
        "name": wheel.path.name,
        "path": f"wheels/{wheel.path.name}",
        "size": wheel.path.stat().st_size,
        "hashes": {"sha256": wheel.digest.hex},
    }


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    kept = {field: file[field] for field in _KEPT_FILE_FIELDS if field in file}
    if "url" in kept:
        kept["url"] = _USERINFO.sub(r"\1", kept["url"])
    return kept
