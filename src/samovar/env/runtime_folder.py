"""The runtime's folder for an interpreter: its code, and its own few dependencies beside it.

It stands outside every model's environment and is put behind it on ``sys.path``, so that a model
keeps exactly the packages it was trained with (docs/decisions/0001-rooms.md).
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import samovar
from samovar.core.digest import Digest
from samovar.env.uv import run_uv

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.env.interpreters import Interpreter

    Progress = Callable[[str], None]

_SOURCE: Final = Path(samovar.__file__).parent
_COPIED: Final = ("core", "runtime")
REQUIREMENTS: Final = _SOURCE / "runtime" / "requirements.txt"
GRPC_REQUIREMENTS: Final = _SOURCE / "runtime" / "grpc" / "requirements.txt"
_READY: Final = ".ready"


def runtime_folder(
    home: Path, interpreter: Interpreter, *, offline: bool, progress: Progress
) -> Path:
    """Give the runtime's folder for an interpreter, made where it is not there yet.

    Parameters
    ----------
    home : Path
        Where such folders are kept.
    interpreter : Interpreter
        That will run it: its minor version, platform and libc choose the binary wheels.
    offline : bool
        Open no connection.
    progress : callable
        Is told what is going on.

    Raises
    ------
    Unavailable
        Where a dependency cannot be had.
    """

    def fill(folder: Path) -> None:
        progress("Preparing the runtime")
        copy_code(folder)
        install_beside(folder, interpreter, REQUIREMENTS, offline=offline)

    return kept_folder(home / f"{_code_digest()}-{kind_of(interpreter)}", fill)


def grpc_folder(home: Path, interpreter: Interpreter, *, offline: bool, progress: Progress) -> Path:
    """Give the folder that gRPC is imported from, made where it is not there yet.

    The parameters and errors are those of :func:`runtime_folder`.
    """

    def fill(folder: Path) -> None:
        progress("Preparing gRPC")
        install_beside(folder, interpreter, GRPC_REQUIREMENTS, offline=offline)

    digest = Digest.of(GRPC_REQUIREMENTS.read_bytes()).short
    return kept_folder(home / f"grpc-{digest}-{kind_of(interpreter)}", fill)


def kind_of(interpreter: Interpreter) -> str:
    """Name the interpreters that can share binary wheels."""
    machine = f"{interpreter.markers['sys_platform']}-{interpreter.markers['platform_machine']}"
    libc = (interpreter.libc.partition(" ")[0] or "system").lower()
    return f"{interpreter.minor}-{machine}-{libc}"


def kept_folder(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Give a folder that one process fills once, whole or not at all."""
    if (folder / _READY).exists():
        return folder
    from filelock import FileLock

    with FileLock(f"{folder}.lock"):
        if not (folder / _READY).exists():
            shutil.rmtree(folder, ignore_errors=True)
            fill(folder)
            (folder / _READY).touch()
    return folder


def copy_code(folder: Path) -> None:
    """Copy what runs in a model's environment into a folder, with ``boot/boot.py`` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in code_files():
        target = folder / code_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (folder / "boot").mkdir()
    shutil.copyfile(boot_file(), folder / "boot" / "boot.py")


def code_files() -> list[Path]:
    """List the files of samovar that run in a model's environment, sorted."""
    found = [_SOURCE / "__init__.py", _SOURCE / "errors.py"]
    for room in _COPIED:
        found += [
            path
            for path in (_SOURCE / room).rglob("*")
            if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
        ]
    return sorted(found)


def code_path(file: Path) -> str:
    """Give where one of `code_files` stands in a runtime's folder."""
    return f"samovar/{file.relative_to(_SOURCE).as_posix()}"


def boot_file() -> Path:
    """Give the program that starts the runtime."""
    return _SOURCE / "runtime" / "boot.py"


@cache
def _code_digest() -> str:
    """Give a short digest of the code, so that another samovar makes another folder."""
    parts = [
        f"{path.relative_to(_SOURCE).as_posix()}:{Digest.of(path.read_bytes())}"
        for path in code_files()
    ]
    return Digest.of("\n".join(parts).encode()).short


def install_beside(
    folder: Path, interpreter: Interpreter, requirements: Path, *, offline: bool
) -> None:
    """Unpack hashed requirements, and nothing that they depend on, into a folder of their own.

    Raises
    ------
    Unavailable
        Where one cannot be had, or has no wheel for this interpreter.
    """
    run_uv(
        ["pip", "install", "-q", "--no-config", "--no-deps", "--require-hashes",
         "--only-binary", ":all:", "--python", str(interpreter.path), "--target", str(folder),
         "-r", str(requirements)],
        offline=offline,
    )  # fmt: skip
