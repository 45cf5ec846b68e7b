"""Tell what kind of file something is by its content; its name says nothing reliable."""

from __future__ import annotations

from typing import Final

PREFIX_BYTES: Final = 4096
_ZIP: Final = b"PK\x03\x04"
_UNSUPPORTED: Final = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "RAR"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"ZF", "joblib before 0.10"),
    (b"PK\x05\x06", "empty zip"),
    (b"PK\x07\x08", "split zip"),
    (b"GGUF", "GGUF"),
)
_TAR_MAGIC_AT: Final = 257
_ONNX_FIELDS: Final = frozenset({0x08, 0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42})
_ONNX_VERSIONS: Final = range(1, 32)


def native_format(prefix: bytes) -> str | None:
    r"""Name a format that holds numbers and no code: ``xgboost lightgbm catboost onnx``, or None.

    Parameters
    ----------
    prefix : bytes
        The first `PREFIX_BYTES` of the file.

    Examples
    --------
    >>> native_format(b"tree\nversion=v4\n")
    'lightgbm'
    """
    if prefix.startswith(b"CBM1"):
        return "catboost"
    if prefix.startswith(b"tree\nversion=v"):
        return "lightgbm"
    start = prefix.lstrip()
    if start.startswith(b"{"):
        return "xgboost" if _names_a_learner(prefix) else None
    if _is_onnx(prefix):
        return "onnx"
    return None


def is_zip(prefix: bytes) -> bool:
    """Say whether a file begins as a zip does."""
    return prefix.startswith(_ZIP)


def unsupported_container(prefix: bytes) -> str | None:
    """Name a container that could hold a model and is not read, or None."""
    if prefix[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return "tar"
    return next((name for magic, name in _UNSUPPORTED if prefix.startswith(magic)), None)


def zip_kind(names: list[str]) -> str | None:
    """Tell from its members what a zip holds: ``skops npz torch``, or None."""
    if "schema.json" in names:
        return "skops"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "torch"
    return None


def _names_a_learner(prefix: bytes) -> bool:
    # JSON: {"learner": ...}; UBJSON: '{', 'L' (a 64-bit length), the length of a key, the key.
    return b"learner" in prefix[:64] or (b'"version"' in prefix[:64] and b"learner" in prefix)


def _is_onnx(prefix: bytes) -> bool:
    """Recognise a serialised ``onnx.ModelProto``: its IR version comes first."""
    if len(prefix) < 4 or prefix[0] != 0x08 or prefix[1] not in _ONNX_VERSIONS:
        return False
    return prefix[2] in _ONNX_FIELDS
