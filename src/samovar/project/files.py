"""Choose what of a project goes along: what git would take, less data, tests and secrets."""

from __future__ import annotations

import fnmatch
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from samovar.errors import InvalidProject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samovar.project.config import Project

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
"""A larger file goes along only where ``[service] code`` names it."""
_NEVER_ENTERED: Final = (
    ".*", "*venv", "__pycache__", "node_modules", "site-packages", "build", "dist", "*.egg-info",
    "mlruns", "wandb",
)  # fmt: skip
_SECRETS: Final = (
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", ".env", ".env.*", "*.env", ".netrc", ".pypirc", ".npmrc",
    "credentials", "credentials.*", "secrets.*", "*.secret", "service-account*.json",
)  # fmt: skip
_DATA: Final = (
    "*.csv", "*.tsv", "*.parquet", "*.pq", "*.feather", "*.arrow", "*.npy", "*.npz", "*.h5",
    "*.hdf5", "*.db", "*.sqlite", "*.sqlite3", "*.xlsx", "*.xls", "*.zip", "*.tar", "*.gz", "*.bz2",
    "*.xz", "*.7z", "*.jsonl", "*.ndjson", "*.dvc",
)  # fmt: skip
_MODELS: Final = (
    "*.pkl", "*.pickle", "*.joblib", "*.skops", "*.onnx", "*.pt", "*.pth", "*.cbm", "*.ubj",
    "*.bst", "*.keras", "*.safetensors",
)  # fmt: skip
_TESTS: Final = ("test_*.py", "*_test.py", "conftest.py")
_TEST_FOLDERS: Final = frozenset({"test", "tests"})
_DATA_FOLDERS: Final = frozenset({"data", "dataset", "datasets"})
_OURS: Final = frozenset({"samovar.toml", "pylock.toml", "Makefile", ".gitignore"})
_OTHER: Final = ("*.ipynb", "*.md", "*.rst", "*.pyc", "*.log", "*.out", "Dockerfile*", "*.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What goes along and what does not.

    Parameters
    ----------
    included : tuple of str
        Paths in the project, sorted.
    left_out : tuple of tuple of str
        Paths (or patterns of them) a user might miss, and why they stay.
    """

    included: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def select_code(project: Project) -> Selection:
    """Choose the code that goes into a project's bundle.

    Parameters
    ----------
    project : Project
        ``[service] code`` names files, folders or patterns; without it, the default is taken.

    Raises
    ------
    InvalidProject
        Where a named file does not exist, or a link leads out of the project.
    """
    own = {project.model.path} if project.model is not None else set()
    if project.examples.path is not None:
        own.add(project.examples.path)
    if project.service.code is not None:
        included = sorted(set(_named(project, project.service.code)) - own)
        return Selection(included=tuple(included), left_out=())
    included, left_out = [], []
    for path in list_files(project.folder):
        if path in own:
            continue
        reason = reason_to_leave(path, (project.folder / path).stat().st_size)
        if reason is None:
            included.append(path)
        elif reason:
            left_out.append((path, reason))
    _check_links(project.folder, included)
    return Selection(included=tuple(sorted(included)), left_out=tuple(sorted(left_out)))


def reason_to_leave(path: str, size_bytes: int) -> str | None:
    """Say why a file stays behind; empty where nobody will miss it, None where it goes along.

    Examples
    --------
    >>> reason_to_leave("server.py", 100) is None
    True
    >>> reason_to_leave("deploy/tls.key", 100)
    'a secret'
    """
    pure = PurePosixPath(path)
    folders = set(pure.parts[:-1])
    if _matches(pure.name, _SECRETS):
        return "a secret"
    if pure.name in _OURS or pure.name.startswith(("requirements", "environment.")):
        return ""
    if _matches(pure.name, _MODELS):
        return "another model"
    if folders & _DATA_FOLDERS or _matches(pure.name, _DATA):
        return "data"
    if folders & _TEST_FOLDERS or _matches(pure.name, _TESTS):
        return "a test"
    if _matches(pure.name, _OTHER):
        return ""
    if size_bytes > MAX_FILE_BYTES:
        return f"larger than {MAX_FILE_BYTES // 1024 // 1024} MiB"
    return None


def list_files(folder: Path) -> list[str]:
    """List a project's files as git would take them: tracked, or untracked and not ignored.

    Outside a repository, hidden folders, environments and caches are passed over.

    Returns
    -------
    list of str
        Paths with ``/``, sorted.
    """
    found = _ask_git(folder)
    paths = _walk(folder) if found is None else found
    return sorted(
        path for path in paths if (folder / path).is_file() and not _is_in_venv(folder, path)
    )


def _ask_git(folder: Path) -> list[str] | None:
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others",
               "--exclude-standard", "--", "."]  # fmt: skip
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ended = subprocess.run(
            command, capture_output=True, env=variables, check=False, stdin=subprocess.DEVNULL
        )
    except OSError:
        return None
    if ended.returncode != 0:
        return None
    listed = [os.fsdecode(name) for name in ended.stdout.split(b"\0") if name]
    # An ignored folder of a larger repository (a copy in a build folder) is no part of it.
    return listed or None


def _walk(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _matches(name, _NEVER_ENTERED)]
        relative = Path(root).relative_to(folder)
        for name in files:
            yield (relative / name).as_posix()


def _is_in_venv(folder: Path, path: str) -> bool:
    parents = list(PurePosixPath(path).parents)[:-1]
    return any((folder / parent / "pyvenv.cfg").is_file() for parent in parents)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _named(project: Project, patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        path = project.folder / pattern
        if path.is_file():
            found = [pattern]
        elif path.is_dir():
            found = [f"{pattern}/{one}" for one in list_files(path)]
        else:
            found = [
                one.relative_to(project.folder).as_posix()
                for one in project.folder.glob(pattern)
                if one.is_file()
            ]
        found = [one for one in found if "__pycache__" not in one]
        if not found:
            raise InvalidProject(
                f"[service] code names {pattern!r}, and there is no such file.",
                hint="Correct it in samovar.toml.",
                code="no_such_file",
            )
        _check_links(project.folder, found)
        yield from found


def _check_links(folder: Path, paths: Iterable[str]) -> None:
    root = folder.resolve()
    for path in paths:
        real = (folder / path).resolve()
        if root not in real.parents:
            raise InvalidProject(
                f"{path} is a link that leads out of the project.",
                why=f"It leads to {real}.",
                hint="Copy the file into the project, or leave it out of [service] code.",
                code="link_out",
            )
