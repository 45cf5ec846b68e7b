"""The run record: everything that one execution of the training command was made from.

A record is complete because it is what is executed: code and data by digest, parameters, the lock,
the interpreter, the variables that count, and the machine; and what came out.

A record is written once and never changed. Unlike a receipt it names a machine and a time, for it
is the memory of one event.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from samovar.core.digest import Digest
from samovar.errors import Damaged, InvalidReference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION: Final = 1
FINISHED: Final = "finished"
FAILED: Final = "failed"
Metric = float | int | None
"""None is a metric that was not finite."""


def path_inside(path: Any) -> str:
    """Return a path of a record, if it stays within the folder that a run is laid out in.

    A run may come from a stranger's registry, and laying it out writes to its paths.

    Raises
    ------
    Damaged
        Where it is absolute, leads out, or is no path.
    """
    parts = str(path).replace("\\", "/").split("/")
    if not isinstance(path, str) or "\0" in path or ".." in parts or not parts[0]:
        raise Damaged(f"The run names {path!r}, which is no path within its folder.")
    if parts[0][1:2] == ":":
        raise Damaged(f"The run names {path!r}, which is on a drive of its own.")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A file that went into a run, or came out of it.

    Parameters
    ----------
    path : str
        Relative to the project, with ``/``.
    digest : Digest
        Of its bytes.
    size_bytes : int
        How many.
    chunks : tuple of Digest
        Of its pieces in order, where it is stored in pieces; their bytes joined are the file's.
    """

    path: str
    digest: Digest
    size_bytes: int
    chunks: tuple[Digest, ...] = ()

    @classmethod
    def from_json(cls, document: Any) -> RunFile:
        """Read the stored form."""
        return cls(
            path=path_inside(document["path"]),
            digest=Digest.parse(document["digest"]),
            size_bytes=int(document["size_bytes"]),
            chunks=tuple(Digest.parse(chunk) for chunk in document.get("chunks", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        document: dict[str, Any] = {
            "path": self.path,
            "digest": str(self.digest),
            "size_bytes": self.size_bytes,
        }
        if self.chunks:
            document["chunks"] = [str(chunk) for chunk in self.chunks]
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """Where the project stood in Git.

    Parameters
    ----------
    commit : str
        Of HEAD, 40 hexadecimal digits.
    dirty : bool
        Whether tracked files differed from it.
    diff : Digest, optional
        Of the difference, as ``git diff`` gave it.
    """

    commit: str
    dirty: bool
    diff: Digest | None = None

    @classmethod
    def from_json(cls, document: Any) -> GitState:
        """Read the stored form."""
        diff = document.get("diff")
        return cls(
            commit=str(document["commit"]),
            dirty=bool(document["dirty"]),
            diff=None if diff is None else Digest.parse(diff),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        document: dict[str, Any] = {"commit": self.commit, "dirty": self.dirty}
        if self.diff is not None:
            document["diff"] = str(self.diff)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One execution of a training command.

    Parameters
    ----------
    project : str
        Name of the project.
    command : str
        As ``[train] command`` has it.
    python : str
        Full version of the interpreter, ``3.11.9``.
    lock : Digest or None
        Of ``pylock.toml``; None where an interpreter of the user's was taken as it is.
    packages : mapping of str to str
        Normalised name to exact version, on the platform that ran.
    code, data : tuple of RunFile
        What the command could read.
    params : mapping
        As written: names to JSON values, nested.
    params_path, params_env : str or None
        The file and the variable that hand the parameters over.
    metrics_path, predictions_path : str or None
        What the command writes.
    env : mapping of str to str or None
        The variables that count; None is unset.
    machine : mapping
        Facts, as ``env/machine.py`` gives them.
    numerics : str
        Level of pinned numerics (core/numerics.py).
    git : GitState or None
        Where the project stood; None outside Git.
    status : str
        ``finished`` or ``failed``.
    metrics : mapping of str to float, int or None
        By dotted name.
    predictions : RunFile or None
        On the fixed evaluation set.
    outputs : tuple of RunFile
        Other files that the command wrote.
    kept : tuple of RunFile
        What the command did not read and a bundle of its output needs: what ``samovar.toml`` says
        of the model, example rows, the service's code. It is no factor.
    stdout, stderr : Digest or None
        What the command printed.
    started : str
        UTC, ``2026-01-31T12:00:00Z``.
    seconds : float
        Wall time of the command.
    peak_memory_bytes : int or None
        Largest resident size.
    repeatable : bool or None
        What repeating showed; None where it was not repeated.
    noise : mapping of str to float
        Standard deviation of each metric over repetitions.
    warnings : tuple of str
        What a reader has to know.
    """

    project: str
    command: str
    python: str
    lock: Digest | None
    packages: Mapping[str, str]
    code: tuple[RunFile, ...]
    data: tuple[RunFile, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    params_path: str | None = None
    params_env: str | None = None
    metrics_path: str | None = None
    predictions_path: str | None = None
    env: Mapping[str, str | None] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    numerics: str = "native"
    git: GitState | None = None
    status: str = FINISHED
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    predictions: RunFile | None = None
    outputs: tuple[RunFile, ...] = ()
    kept: tuple[RunFile, ...] = ()
    stdout: Digest | None = None
    stderr: Digest | None = None
    started: str = ""
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    repeatable: bool | None = None
    noise: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Any) -> RunRecord:
        """Read a record from a stored document.

        Raises
        ------
        Damaged
            Where it is none, or of a version that this samovar does not know.
        """
        if not isinstance(document, dict) or document.get("run") != VERSION:
            raise Damaged(
                "The run is of a version that this samovar does not read.",
                hint="Use the newest samovar.",
            )
        if document.get("status") not in {FINISHED, FAILED}:
            raise Damaged("The run does not say whether it finished.")
        try:
            known = {one.name for one in fields(cls)} & set(document)
            values = {name: _read(name, document[name]) for name in known}
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError, InvalidReference) as error:
            raise Damaged("The run's record lacks a field, or has a malformed one.") from error

    def blobs(self) -> Iterator[Digest]:
        """Give the digest of every blob that the record names."""
        made = () if self.predictions is None else (self.predictions,)
        for file in (*self.code, *self.data, *self.outputs, *self.kept, *made):
            yield from file.chunks or (file.digest,)
        diff = None if self.git is None else self.git.diff
        others = (self.lock, self.stdout, self.stderr, diff)
        yield from (digest for digest in others if digest is not None)

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        document: dict[str, Any] = {"run": VERSION}
        for one in fields(self):
            document[one.name] = _write(getattr(self, one.name))
        return document


_FILES: Final = {"code", "data", "outputs", "kept"}
_DIGESTS: Final = {"lock", "stdout", "stderr"}
_PATHS: Final = {"params_path", "metrics_path", "predictions_path"}
_MAPPINGS: Final = {"packages", "params", "env", "machine", "metrics", "noise"}


def _read(name: str, value: Any) -> Any:
    if name in _FILES:
        return tuple(RunFile.from_json(file) for file in value)
    if name == "warnings":
        return tuple(str(warning) for warning in value)
    if name in _MAPPINGS:
        return dict(value)
    if value is None:
        return None
    if name in _DIGESTS:
        return Digest.parse(value)
    if name in _PATHS:
        return path_inside(value)
    if name == "predictions":
        return RunFile.from_json(value)
    return GitState.from_json(value) if name == "git" else value


def _write(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_write(item) for item in value]
    if isinstance(value, (RunFile, GitState)):
        return value.to_json()
    if isinstance(value, Digest):
        return str(value)
    return dict(value) if hasattr(value, "keys") else value


def flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give the leaves of nested parameters by dotted path; a list is a leaf, as is ``{}``.

    Examples
    --------
    >>> flatten({"model": {"depth": 3, "loss": ["l1", "l2"]}, "seed": 0})
    {'model.depth': 3, 'model.loss': ['l1', 'l2'], 'seed': 0}
    """
    leaves: dict[str, Any] = {}
    for key, value in document.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            leaves.update(flatten(value, f"{path}."))
        else:
            leaves[path] = value
    return leaves
