"""Audit a model file: say what it would import, call and set, without loading anything of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from samovar.core.allowlist import Policy
from samovar.core.compression import compression_of, decompressed, limit_for
from samovar.errors import InvalidModel, Refused
from samovar.model.findings import Finding, Log
from samovar.model.formats import (
    PREFIX_BYTES,
    is_zip,
    native_format,
    unsupported_container,
    zip_kind,
)
from samovar.model.numpy_files import MAGIC as NPY
from samovar.model.numpy_files import read_npy, read_npz
from samovar.model.pickle_reader import MAX_ACTS
from samovar.model.python_versions import python_for
from samovar.model.skops_schema import read_skops
from samovar.model.source import BROKEN, Source
from samovar.model.streams import is_plausible, read_streams, second_reading
from samovar.model.torch_zip import read_torch
from samovar.model.zip_members import Archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COMPRESSED_ACTS: Final = 1_000_000
_PROTO: Final = 0x80
_BUFFER: Final = 1 << 17

# Trusting these is never the way out; builtins stand here for eval, exec, getattr and open.
_OF_ATTACKS: Final = frozenset(
    {"builtins", "code", "ctypes", "importlib", "nt", "os", "posix", "pty", "runpy", "shutil",
     "socket", "subprocess", "sys", "webbrowser"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a model file would do.

    Parameters
    ----------
    format : str
        ``pickle joblib cloudpickle dill npy npz torch skops xgboost lightgbm catboost onnx``, or
        the name of a container that is not read.
    findings : tuple of Finding
        The reasons not to load it, in the order of the stream; empty where it may be loaded.
    globals : tuple of str
        Every global that it names, sorted.
    library_versions : dict of str to str
        What the file itself records, such as ``{"scikit-learn": "1.4.2"}``.
    python_hint : str or None
        Specifier of the Python versions that those libraries run on, such as ``>=3.9,<3.13``.
    root : str or None
        Class of the outermost object, where it is known.
    """

    format: str
    findings: tuple[Finding, ...] = ()
    globals: tuple[str, ...] = ()
    library_versions: dict[str, str] = field(default_factory=dict)
    python_hint: str | None = None
    root: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against loading it."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Give the document that ``audit`` prints."""
        return {
            "ok": self.ok,
            "format": self.format,
            "findings": [finding.to_json() for finding in self.findings],
            "globals": list(self.globals),
            "library_versions": dict(sorted(self.library_versions.items())),
        }


def audit_file(path: Path, *, trusted: Sequence[str] = ()) -> AuditReport:
    """Read a model file and judge everything it would do while loading.

    Parameters
    ----------
    path : Path
        A regular file.
    trusted : sequence of str
        Exact dotted names that the project vouches for.

    Returns
    -------
    AuditReport
        ``ok`` where every name in it is allowed for the use that is made of it.

    Raises
    ------
    InvalidModel
        Where the file is no model at all: text, an image, empty.
    InvalidProject
        Where ``trusted`` names what may never be trusted.
    """
    if not path.is_file():
        raise InvalidModel(f"{path} is no file.", code="no_model")
    policy, log = Policy(trusted), Log()
    with path.open("rb", _BUFFER) as file:
        prefix = file.read(PREFIX_BYTES)
    if not prefix:
        raise InvalidModel(f"{path} is empty.", hint="Save the model again.")
    try:
        kind = _read(path, prefix, policy, log)
    except InvalidModel as error:
        if error.code != BROKEN or not _may_be_model(prefix, log):
            raise _no_model(path, error) from error
        kind = _kind_of(prefix)
        log.add("", 0, _not_read(kind, error))
    return AuditReport(
        format=_refined(kind, log),
        findings=log.findings(),
        globals=log.globals(),
        library_versions=dict(log.versions),
        python_hint=python_for(log.versions, log.protocol),
        root=log.root,
    )


def audit_model(path: Path, *, trusted: Sequence[str], factory: str) -> AuditReport:
    """Audit the model of a project or bundle: a file, or what a function of the project makes.

    Parameters
    ----------
    path : Path
        The model file, or the file of the function's module.
    trusted : sequence of str
        As :func:`audit_file`.
    factory : str
        ``module:name``, or empty. The project vouches for its own function by naming it; nothing of
        it is run here.

    Raises
    ------
    InvalidModel
        As :func:`audit_file`.
    """
    if not factory:
        return audit_file(path, trusted=trusted)
    if not path.is_file():
        raise InvalidModel(f"{path} is no file.", code="no_model")
    return AuditReport(format="python", globals=(factory.replace(":", "."),))


def refusal(report: AuditReport, path: Path) -> Refused:
    """Make the error for a file with findings: every offending global, and what to do."""
    names = sorted({finding.global_ for finding in report.findings if finding.global_})
    subject = f"it uses {', '.join(names)}" if names else report.findings[0].why.rstrip(".")
    lines = [
        f"  {finding.global_ or report.format} at byte {finding.offset}: {finding.why}"
        for finding in report.findings[:20]
    ]
    return Refused(f"{path.name} is refused: {subject}.", why="\n".join(lines), hint=_hint(names))


def _hint(names: list[str]) -> str:
    if any(name.startswith("__main__.") for name in names):
        return (
            "A class of __main__ exists only in the script that made it: move it into a module of "
            "the project, save the model again, and list it in [model] trusted of samovar.toml."
        )
    if any(name.partition(".")[0] in {"cloudpickle", "dill", "types"} for name in names):
        return (
            "The file carries functions as code. Put them into a module of the project, save the "
            "model with pickle or joblib, and list them in [model] trusted of samovar.toml."
        )
    if any(name.partition(".")[0] in _OF_ATTACKS for name in names):
        return "No model needs that, and an attack does: do not load this file."
    if names:
        return (
            "If these are classes of your own project, list their exact names in [model] trusted "
            "of samovar.toml: a trusted name runs its code. Otherwise do not load this file."
        )
    return "Save the model again with pickle or joblib; do not load this file if it is not yours."


def _read(path: Path, prefix: bytes, policy: Policy, log: Log) -> str:
    """Read the file as what it is; give the name of its format."""
    container = unsupported_container(prefix)
    if container is not None:
        log.add("", 0, f"the container {container} is not supported")
        _read_as_pickle_too(path, policy, log)
        return container
    native = native_format(prefix)
    if native is not None:
        _read_as_pickle_too(path, policy, log)
        return native
    if is_zip(prefix):
        return _read_zip(path, policy, log)
    compression = compression_of(prefix)
    size = path.stat().st_size
    with path.open("rb", _BUFFER) as file:
        if compression is not None:
            _read_as_pickle_too(path, policy, log)
            acts = _COMPRESSED_ACTS + 4 * size
            inside = decompressed(file, compression, limit_for(size))
            read_streams(Source(inside, None), policy, log, max_acts=acts)
            return "joblib"
        if prefix.startswith(NPY):
            read_npy(Source(file, size), policy, log)
            return "npy"
        read_streams(Source(file, size), policy, log, max_acts=MAX_ACTS)
    if log.has_joblib_arrays:
        _read_as_pickle_too(path, policy, log)
    return "joblib" if log.has_joblib_arrays else "pickle"


def _read_zip(path: Path, policy: Policy, log: Log) -> str:
    _read_as_pickle_too(path, policy, log)
    with Archive(path) as archive:
        kind = zip_kind(archive.names)
        if kind == "skops":
            read_skops(archive, policy, log)
        elif kind == "npz":
            read_npz(archive, policy, log)
        else:
            read_torch(archive, policy, log)
            log.add("", 0, f"a {kind or 'zip'} container is not supported")
    return kind or "zip"


def _read_as_pickle_too(path: Path, policy: Policy, log: Log) -> None:
    size = path.stat().st_size
    with path.open("rb", _BUFFER) as file:
        second_reading(Source(file, size), policy, log)


def _kind_of(prefix: bytes) -> str:
    if is_zip(prefix):
        return "zip"
    if prefix.startswith(NPY):
        return "npy"
    return "joblib" if compression_of(prefix) is not None else "pickle"


def _not_read(kind: str, error: InvalidModel) -> str:
    if kind == "zip":
        return f"the zip container is not supported: {error.message}"
    return str(error.message)


def _refined(kind: str, log: Log) -> str:
    if kind not in {"pickle", "joblib"}:
        return kind
    modules = {name.partition(".")[0] for name in log.globals()}
    return next((writer for writer in ("cloudpickle", "dill") if writer in modules), kind)


def _may_be_model(prefix: bytes, log: Log) -> bool:
    """Say whether a file that cannot be read to its end is a model all the same."""
    if prefix[0] == _PROTO or _kind_of(prefix) != "pickle":
        return True
    return any(is_plausible(name) for name in log.globals())


def _no_model(path: Path, error: InvalidModel) -> InvalidModel:
    if error.code != BROKEN:
        return error
    return InvalidModel(
        f"{path} is no model that samovar knows.",
        why="Its content is none of pickle, joblib, skops, xgboost, lightgbm, catboost or ONNX.",
        hint="Name the file that pickle.dump, joblib.dump or the library's own save wrote.",
    )
