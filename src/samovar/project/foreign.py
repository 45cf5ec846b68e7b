"""Read what other tools lock or list, as specifiers: Pipfile.lock, poetry, PDM, uv, setup.cfg.

References
----------
pipenv documentation, "Pipfile.lock"; Poetry, "poetry.lock"; PDM, "pdm.lock"; uv, "uv.lock";
setuptools documentation, "Configuring setuptools using setup.cfg files".
"""

from __future__ import annotations

import ast
import configparser
import json
from typing import TYPE_CHECKING, Any, Final

from samovar.core.toml import parse_toml
from samovar.project.syntax import Module, UnreadableSourceError, constant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def read_foreign(path: Path) -> list[str] | None:
    """Give the specifiers that a file of another tool asks for.

    Parameters
    ----------
    path : Path
        Its name says which tool's it is: one of :data:`LOCKS` or :data:`LISTS`.

    Returns
    -------
    list of str or None
        None where it cannot be read, or lists nothing.
    """
    try:
        return list(dict.fromkeys(_READERS[path.name](path))) or None
    except (
        ValueError, KeyError, TypeError, AttributeError, configparser.Error, UnreadableSourceError,
    ):  # fmt: skip
        return None


def _pipenv(path: Path) -> Iterator[str]:
    document = json.loads(path.read_text(encoding="utf-8"))
    for name, entry in sorted(document["default"].items()):
        if "version" in entry:
            yield _with_marker(f"{name}{entry['version']}", entry.get("markers"))


def _poetry(path: Path) -> Iterator[str]:
    document = _toml(path)
    for package in document["package"]:
        groups = package.get("groups", [package.get("category", "main")])
        if package.get("optional", False) or "main" not in groups or "source" in package:
            continue
        markers = package.get("markers")
        if isinstance(markers, dict):
            markers = markers.get("main")
        yield _with_marker(f"{package['name']}=={package['version']}", markers)


def _pdm(path: Path) -> Iterator[str]:
    for package in _toml(path)["package"]:
        if "default" in package.get("groups", ["default"]) and "path" not in package:
            yield _with_marker(f"{package['name']}=={package['version']}", package.get("marker"))


def _uv(path: Path) -> Iterator[str]:
    """Follow what the project itself asks for; development groups are not followed."""
    listed = _toml(path)["package"]
    packages = {package["name"]: package for package in listed}
    if len(packages) < len(listed):
        raise ValueError("one package in several versions, for several environments")
    roots = [
        package
        for package in packages.values()
        if {"virtual", "editable"} & set(package["source"]) and "." in package["source"].values()
    ]
    reached: dict[str, set[str]] = {}
    waiting = [
        (entry, entry.get("marker", "")) for root in roots for entry in root.get("dependencies", [])
    ]
    while waiting:
        entry, marker = waiting.pop()
        name = entry["name"]
        known = reached.setdefault(name, set())
        if marker in known or "" in known:
            continue
        known.add(marker)
        package = packages[name]
        following = list(package.get("dependencies", []))
        for extra in entry.get("extra", []):
            following += package.get("optional-dependencies", {}).get(extra, [])
        waiting += [(one, _both(marker, one.get("marker", ""))) for one in following]
    for name, markers in sorted(reached.items()):
        if "registry" in packages[name]["source"]:
            marker = "" if "" in markers else " or ".join(f"({one})" for one in sorted(markers))
            yield _with_marker(f"{name}=={packages[name]['version']}", marker)


def _both(first: str, second: str) -> str:
    if not first or not second or first == second:
        return first or second
    return f"({first}) and ({second})"


def _setup_cfg(path: Path) -> Iterator[str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(path.read_text(encoding="utf-8"))
    for line in parser["options"]["install_requires"].splitlines():
        if line.strip():
            yield line.strip()


def _setup_py(path: Path) -> Iterator[str]:
    module = Module("setup", path.read_bytes())
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and module.dotted(node.func).endswith("setup"):
            for keyword in node.keywords:
                if keyword.arg == "install_requires":
                    yield from constant(module.value_of(keyword.value)) or ()


def _pipfile(path: Path) -> Iterator[str]:
    for name, entry in _toml(path)["packages"].items():
        version = entry if isinstance(entry, str) else entry["version"]
        yield name if version == "*" else f"{name}{version}"


LOCKS: Final = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
"""Files of exact versions."""
LISTS: Final = ("Pipfile", "setup.cfg", "setup.py")
"""Files of what is wanted."""
_READERS: Final[dict[str, Callable[[Path], Iterator[str]]]] = {
    "uv.lock": _uv,
    "poetry.lock": _poetry,
    "pdm.lock": _pdm,
    "Pipfile.lock": _pipenv,
    "Pipfile": _pipfile,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
}


def _toml(path: Path) -> dict[str, Any]:
    return parse_toml(path.read_text(encoding="utf-8"))


def _with_marker(specifier: str, marker: str | None) -> str:
    return f"{specifier} ; {marker}" if marker else specifier
