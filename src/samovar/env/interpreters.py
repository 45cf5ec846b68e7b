"""Find the Python interpreters of this machine, and ask one what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.core.platforms import platform_of
from samovar.env.interpreter_facts import interpreter_facts
from samovar.errors import SamovarError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FACTS: Final = Path(__file__).with_name("interpreter_facts.py")
_TIMEOUT_S: Final = 30.0
_EXE: Final = ".exe" if os.name == "nt" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python interpreter that answered.

    Parameters
    ----------
    path : Path
        What to start; in a virtual environment, its own.
    version : str
        ``3.11.7``.
    markers : mapping of str to str
        Its marker environment (PEP 508).
    purelib : Path
        Where its packages are.
    base : Path
        The interpreter that a virtual environment was made from, else itself.
    libc : str
        ``glibc 2.36``, or empty.
    """

    path: Path
    version: str
    markers: Mapping[str, str]
    purelib: Path
    base: Path
    libc: str

    @property
    def minor(self) -> str:
        """``3.11``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def platform(self) -> str | None:
        """``linux/amd64``, or None where it has no short name."""
        return platform_of(self.markers["sys_platform"], self.markers["platform_machine"])


def python_of(venv: Path) -> Path:
    """Give the interpreter of a virtual environment."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def probe(path: Path) -> Interpreter:
    """Start an interpreter and ask what it is; nothing of its packages is imported.

    One that is unchanged is asked once in this process.

    Raises
    ------
    Unavailable
        Where it does not exist, or is no CPython of version 3.
    """
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        changed_ns = 0  # nothing is there; starting it says so
    # Not resolved: a virtual environment's interpreter is a link, and its place is the point.
    return _probe(Path(os.path.abspath(path)), changed_ns)  # noqa: PTH100 - resolve() would follow


@lru_cache(maxsize=32)
def _probe(path: Path, _changed_ns: int) -> Interpreter:
    try:
        ended = subprocess.run(
            [str(path), "-I", str(_FACTS)],
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
        )
        return _described(path, json.loads(ended.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise Unavailable(
            f"{path} is not a Python interpreter that can be started.",
            why=None if isinstance(error, (ValueError, KeyError)) else str(error),
            hint="Give the path of a python program, for instance venv/bin/python.",
            code="no_interpreter",
        ) from error


def _own_base(path: Path) -> Interpreter | None:
    """Describe the interpreter that runs samovar itself, which need not be started to be asked."""
    if path != _own_path():
        return None
    # In a virtual environment the facts are that one's; its base has its packages elsewhere.
    scheme = sysconfig.get_preferred_scheme("prefix")
    prefixes = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    places = {"base": str(path), "purelib": sysconfig.get_path("purelib", scheme, prefixes)}
    return _described(path, {**interpreter_facts(), **places})


def _described(path: Path, facts: dict[str, Any]) -> Interpreter:
    return Interpreter(
        path=path,
        version=facts["version"],
        markers=facts["markers"],
        purelib=Path(facts["purelib"]),
        base=Path(facts["base"]),
        libc=facts["libc"],
    )


def _own_path() -> Path:
    return Path(getattr(sys, "_base_executable", None) or sys.executable)


def find_interpreter(minor: str) -> Interpreter:
    """Find a CPython of a minor version on this machine.

    Looked for, in this order: samovar's own base interpreter, PATH, pyenv's versions, and what uv
    knows of (its managed versions and the Windows registry).

    Parameters
    ----------
    minor : str
        ``3.11``.

    Raises
    ------
    Unavailable
        Naming the versions that were found instead.
    """
    seen: set[Path] = set()
    for candidate in _candidates(minor):
        real = Path(os.path.realpath(candidate))
        if real in seen or not candidate.exists():
            continue
        seen.add(real)
        try:
            found = _own_base(candidate) or probe(candidate)
        except Unavailable:
            continue
        if found.minor == minor and found.markers["implementation_name"] == "cpython":
            return found
    others = sorted(set(_other_minors()))
    raise Unavailable(
        f"There is no Python {minor} on this machine.",
        why=f"Found: {', '.join(others) or 'none'} (on PATH, in pyenv, by uv).",
        hint=f"Install Python {minor} (for instance 'uv python install {minor}'), or name an "
        "interpreter with --python where the command takes one.",
        code="no_python",
    )


def _candidates(minor: str) -> Iterator[Path]:
    if minor == ".".join(map(str, sys.version_info[:2])):
        yield _own_path()
    for folder in os.get_exec_path():
        # A shim of pyenv answers for the versions that are switched on, and fails for the rest.
        if Path(folder).name != "shims":
            yield Path(folder) / f"python{minor}{_EXE}"
            yield Path(folder) / f"python3{_EXE}"
    for version in _pyenv_versions():
        if version.name == minor or version.name.startswith(f"{minor}."):
            yield version / "bin" / f"python{minor}"
            yield version / "python.exe"
    found = _ask_uv(minor)
    if found is not None:
        yield found


def _pyenv_versions() -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    windows = root / "pyenv-win" / "versions"
    folders = [*root.glob("versions/3.*"), *windows.glob("3.*")]
    return sorted(folders, key=_by_version, reverse=True)


def _by_version(folder: Path) -> list[int]:
    return [int(part) if part.isdigit() else -1 for part in folder.name.split(".")]


def _ask_uv(minor: str) -> Path | None:
    from samovar.env.uv import run_uv

    try:
        answer = run_uv(["python", "find", "--no-project", "--no-config", minor], offline=True)
    except SamovarError:
        return None
    return Path(answer.strip()) if answer.strip() else None


def _other_minors() -> Iterator[str]:
    """Name the minor versions that are here, for the message, without starting them."""
    yield ".".join(map(str, sys.version_info[:2]))
    for folder in os.get_exec_path():
        for path in Path(folder).glob("python3.*") if Path(folder).name != "shims" else ():
            name = path.name.removesuffix(".exe").removeprefix("python")
            if name.replace(".", "").isdigit():
                yield name
    for version in _pyenv_versions():
        yield ".".join(version.name.split(".")[:2])
