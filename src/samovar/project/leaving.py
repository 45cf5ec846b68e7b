"""Say which files stay behind when a project is packed, and why: by name, size and first bytes."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
"""A larger file goes along only where ``[service] code`` names it."""
SECRET: Final = "a secret"  # noqa: S105 - the reason that is told, no password
_SECRETS: Final = (
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.gpg", "*.pgp",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".env", ".env.*", "*.env", ".netrc",
    "_netrc", ".pypirc", ".npmrc", ".htpasswd", ".pgpass", ".git-credentials", ".dockercfg",
    "credentials", "credentials.*", "secrets.*", "secret.*", "*.secret", "*.secrets", "*.token",
    "service-account*.json", "service_account*.json", "client_secret*.json", "kubeconfig",
    "*.kubeconfig", "*.tfstate", "*.tfstate.*", "*.tfvars",
)  # fmt: skip
_DATA: Final = (
    "*.csv", "*.tsv", "*.parquet", "*.pq", "*.feather", "*.arrow", "*.npy", "*.npz", "*.h5",
    "*.hdf5", "*.db", "*.sqlite", "*.sqlite3", "*.duckdb", "*.xlsx", "*.xls", "*.zip", "*.tar",
    "*.tgz", "*.gz", "*.bz2", "*.xz", "*.zst", "*.7z", "*.jsonl", "*.ndjson", "*.dvc", "*.dta",
    "*.sav", "*.rds", "*.rdata", "*.orc", "*.avro", "*.dump",
)  # fmt: skip
_MODELS: Final = (
    "*.pkl", "*.pickle", "*.joblib", "*.jl", "*.skops", "*.onnx", "*.pt", "*.pth", "*.cbm",
    "*.ubj", "*.bst", "*.keras", "*.safetensors",
)  # fmt: skip
_TESTS: Final = ("test_*.py", "*_test.py", "conftest.py")
_TEST_FOLDERS: Final = frozenset({"test", "tests"})
_DATA_FOLDERS: Final = frozenset({"data", "dataset", "datasets"})
_OURS: Final = frozenset({"samovar.toml", "pylock.toml", "makefile", ".gitignore"})
# What nobody will miss in a service, nor want to read about.
_UNTOLD: Final = (
    "*.ipynb", "readme*", "changelog*", "contributing*", "license*", "*.pyc", "*.log", "*.out",
    "dockerfile*", "*.lock", "*.whl", "*.egg", "*.swp", "*~", ".ds_store", "thumbs.db",
    "desktop.ini", "requirements*", "environment.y*ml", ".git*", ".dockerignore",
    ".pre-commit-config.yaml", ".editorconfig", ".python-version",
)  # fmt: skip
_BEGINNING_BYTES: Final = 256


def reason_to_leave(path: str, size_bytes: int) -> str | None:
    """Say why a file stays behind; empty where nobody will miss it, None where it goes along.

    Parameters
    ----------
    path : str
        In the project, with ``/``; upper and lower case are the same.
    size_bytes : int
        Of the file.

    Examples
    --------
    >>> reason_to_leave("server.py", 100) is None
    True
    >>> reason_to_leave("deploy/tls.key", 100)
    'a secret'
    """
    pure = PurePosixPath(path.lower())
    folders = set(pure.parts[:-1])
    if _matches(pure.name, _SECRETS):
        return SECRET
    if pure.name in _OURS or _matches(pure.name, _UNTOLD):
        return ""
    if _matches(pure.name, _MODELS):
        return "another model"
    if folders & _DATA_FOLDERS or _matches(pure.name, _DATA):
        return "data"
    if is_test(path):
        return "a test"
    if size_bytes > MAX_FILE_BYTES:
        return f"larger than {MAX_FILE_BYTES // 1024 // 1024} MiB"
    return None


def is_test(path: str) -> bool:
    """Say whether a file is a test, by its name or its folder's."""
    pure = PurePosixPath(path.lower())
    return bool(set(pure.parts[:-1]) & _TEST_FOLDERS) or _matches(pure.name, _TESTS)


def is_private_key(path: Path) -> bool:
    """Say whether a file begins as private keys do, whatever it is called."""
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING_BYTES).lstrip()
    return beginning.startswith((b"-----BEGIN", b"PuTTY-User-Key-File")) and (
        b"PRIVATE KEY" in beginning or beginning.startswith(b"PuTTY")
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
