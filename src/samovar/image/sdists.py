"""Build wheels of packages that have none for a platform: ``build --build-sdists``.

What a build requires is installed first, from wheels alone, by uv; the package's own code then runs
in a sandbox without network (image/sandbox.py). The wheel is written anew without anything of this
machine, and kept by the digest of its source, so that the same source is built once.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.toml import parse_toml
from samovar.env.interpreters import find_interpreter
from samovar.env.local_packages import build_wheel
from samovar.env.lock import LockedFile
from samovar.env.uv import run_uv, uv_binary
from samovar.errors import InvalidRequirements, Unavailable
from samovar.image.download import Download, fetch_all
from samovar.image.sandbox import run_in_sandbox
from samovar.store.atomic import write_file
from samovar.store.home import is_offline
from samovar.store.unpack import extract_tar
from samovar.store.unpack_inflate import inflated

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.env.interpreters import Interpreter
    from samovar.env.lock import LockedPackage
    from samovar.image.platform import Libc
    from samovar.store.home import Home

    Progress = Callable[[str], None]

_VERSION: Final = 1
_LEGACY: Final = ["setuptools>=40.8.0", "wheel"]
"""What a source tree without ``[build-system]`` is built with (PEP 518)."""
_EPOCH_S: Final = "315532800"


def build_sdist(
    home: Home, package: LockedPackage, minor: str, libc: Libc, progress: Progress
) -> LockedFile:
    """Give the wheel that a package's source builds to on this machine.

    Parameters
    ----------
    package : LockedPackage
        Its lock names a source with a digest.
    minor : str
        Version of Python.
    libc : Libc
        Of the base: what was compiled against a newer one does not run there.
    progress : callable
        Is told what is going on.

    Raises
    ------
    Unavailable
        Where there is no source, no sandbox, no such Python here, or it does not build.
    Refused
        Where the source has members that no honest archive has.
    """
    source = package.sdist
    if source is None or not source.sha256:
        raise Unavailable(
            f"{package.name} {package.version} has neither a wheel nor a source that is pinned.",
            hint="Choose another --platform or --base, or another version.",
            code="no_wheel",
        )
    interpreter = find_interpreter(minor)
    facts = [_VERSION, source.sha256, minor, interpreter.libc, interpreter.platform]
    memory = home.cache("built") / Digest.of(canonical_json(facts)).hex
    known = _remembered(home, memory)
    if known is not None:
        return _checked(known, interpreter, libc)
    download = Download(
        name=source.name,
        urls=(source.url,) if source.url else (),
        sha256=source.sha256,
        size_bytes=source.size_bytes,
    )
    (archive,) = fetch_all(home.cache("wheels"), [download], what="sources", progress=progress)
    progress(f"Building {package.name} {package.version} from its source, in a sandbox")
    with home.workspace() as workspace:
        built = _build(archive, source.name, interpreter, workspace.resolve())
        wheel = build_wheel(
            built,
            workspace / "normal",
            interpreter=interpreter,
            workspace=workspace,
            offline=is_offline(),
        )
        shutil.copyfile(wheel.path, home.cache("wheels") / wheel.digest.hex)
        size = wheel.path.stat().st_size
    found = {"name": wheel.path.name, "sha256": wheel.digest.hex, "size_bytes": size}
    write_file(memory, canonical_json(found))
    return _checked(_file(found), interpreter, libc)


def _checked(wheel: LockedFile, interpreter: Interpreter, libc: Libc) -> LockedFile:
    """Refuse a compiled wheel for a base that is older than this machine."""
    name, _, version = interpreter.libc.partition(" ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    fits = name == libc.name and numbers <= (libc.major, libc.minor)
    if wheel.name.endswith("-any.whl") or fits:
        return wheel
    raise Unavailable(
        f"{wheel.name} was compiled for {interpreter.libc}; the base has {libc}.",
        hint="Build on a machine like the base, or choose a base like this machine.",
        code="no_wheel",
    )


def _build(archive: Path, name: str, interpreter: Interpreter, workspace: Path) -> Path:
    if not name.endswith(".tar.gz"):
        raise Unavailable(
            f"The source {name} is no .tar.gz, which is all that samovar builds.",
            hint="Build the wheel yourself ('pip wheel NAME') and name it as ./NAME.whl.",
            code="no_wheel",
        )
    scratch = workspace / "scratch"
    scratch.mkdir()
    venv = workspace / "venv"
    unpacked = workspace / "unpacked"
    with archive.open("rb") as file:
        extract_tar(inflated(file), unpacked)
    (tree,) = [path for path in unpacked.iterdir() if path.is_dir()] or [unpacked]
    offline = is_offline()
    run_uv(["venv", "-q", "--no-config", "--python", str(interpreter.base), str(venv)],
           offline=offline)  # fmt: skip
    run_uv(
        ["pip", "install", "-q", "--no-config", "--only-binary", ":all:", "--python",
         str(venv / "bin" / "python"), *_requires(tree)],
        offline=offline,
    )  # fmt: skip
    work = scratch / "work"
    words: list[str | Path] = [
        uv_binary(), "build", "--wheel", "--no-build-isolation", "--offline", "--no-config",
        "--no-cache", "--python", venv / "bin" / "python", "--out-dir", work / "out", work / "src",
    ]  # fmt: skip
    copied: list[str | Path] = [
        "/bin/sh",
        "-c",
        'cp -r "$1" "$2"; shift 2; exec "$@"',
        "sh",
        tree,
        work / "src",
    ]
    run_in_sandbox(
        [*copied, *words],
        scratch=scratch,
        readable=[tree, venv, _prefix(interpreter), Path(uv_binary()).resolve().parent],
        variables={"SOURCE_DATE_EPOCH": _EPOCH_S, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
    )
    return next((work / "out").glob("*.whl"))


def _prefix(interpreter: Interpreter) -> Path:
    """Give the folder that an interpreter is installed in: ``bin`` and ``lib`` are below it."""
    return interpreter.base.resolve().parent.parent


def _requires(tree: Path) -> list[str]:
    file = tree / "pyproject.toml"
    if not file.is_file():
        return _LEGACY
    try:
        document = parse_toml(file.read_text(encoding="utf-8"))
        listed: Any = document.get("build-system", {}).get("requires", _LEGACY)
    except (ValueError, AttributeError) as error:
        raise InvalidRequirements(f"The pyproject.toml of {tree.name} cannot be read.") from error
    if not isinstance(listed, list) or any(str(one).startswith("-") for one in listed):
        raise InvalidRequirements(f"The pyproject.toml of {tree.name} requires no packages.")
    return [str(one) for one in listed]


def _remembered(home: Home, memory: Path) -> LockedFile | None:
    try:
        found = _file(json.loads(memory.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if (home.cache("wheels") / found.sha256).is_file() else None


def _file(document: Any) -> LockedFile:
    return LockedFile(
        name=str(document["name"]),
        url=None,
        path=None,
        sha256=str(document["sha256"]),
        size_bytes=int(document["size_bytes"]),
    )
