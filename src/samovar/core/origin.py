"""Where a bundle's model came from: a recorded run, or another tool's registry.

It is part of the bundle's document, so that whoever has the bundle alone can tell on which data and
with what its model was trained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from samovar.core.digest import Digest
from samovar.core.receipt import TrainedOn
from samovar.core.run import GitState, RunFile, RunRecord
from samovar.errors import Damaged, InvalidReference

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN: Final = "run"
IMPORT: Final = "import"
_MACHINE: Final = ("system", "architecture", "cpu", "threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The recorded run that wrote the model.

    Parameters
    ----------
    run : Digest
        Of the run; ``samovar reproduce`` takes it.
    name, command, python, started : str
        As the run has them.
    seconds : float
        Wall time of the command.
    data, code : tuple of RunFile
        What it was trained on, and by what; the pieces of a stored file are left out.
    params, metrics, noise, machine : mapping
        As the run has them; of the machine what can move a result.
    packages : mapping of str to str
        Versions that the training had.
    numerics : str
        Level of pinned numerics.
    repeatable : bool or None
        What repeating showed; None where it was not repeated.
    git : GitState or None
        Where the project stood.
    """

    run: Digest
    name: str
    command: str
    python: str
    started: str
    seconds: float
    data: tuple[RunFile, ...]
    code: tuple[RunFile, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    noise: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    numerics: str = "native"
    repeatable: bool | None = None
    git: GitState | None = None

    @classmethod
    def of(cls, record: RunRecord, *, run: Digest, name: str) -> Training:
        """Take from a run's record what a bundle is to say of it."""
        return cls(
            run=run,
            name=name,
            command=record.command,
            python=record.python,
            started=record.started,
            seconds=record.seconds,
            data=tuple(map(_whole, record.data)),
            code=tuple(map(_whole, record.code)),
            params=record.params,
            metrics=record.metrics,
            noise=record.noise,
            machine={key: record.machine[key] for key in _MACHINE if key in record.machine},
            packages=record.packages,
            numerics=record.numerics,
            repeatable=record.repeatable,
            git=record.git,
        )

    def trained_on(self) -> TrainedOn:
        """Give what the receipt says of it."""
        return TrainedOn(run=self.run, data=tuple((one.path, one.digest) for one in self.data))

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {
            "kind": RUN,
            "run": str(self.run),
            "name": self.name,
            "command": self.command,
            "python": self.python,
            "started": self.started,
            "seconds": self.seconds,
            "data": [file.to_json() for file in self.data],
            "code": [file.to_json() for file in self.code],
            "params": dict(self.params),
            "metrics": dict(self.metrics),
            "noise": dict(self.noise),
            "machine": dict(self.machine),
            "packages": dict(self.packages),
            "numerics": self.numerics,
            "repeatable": self.repeatable,
            "git": None if self.git is None else self.git.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Another tool's model that was taken over.

    Parameters
    ----------
    tool : str
        ``mlflow``.
    facts : mapping of str to str
        What the tool's own description says: its version, its run, the model's flavour.
    """

    tool: str
    facts: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {"kind": IMPORT, "tool": self.tool, "facts": dict(self.facts)}


Origin: TypeAlias = Training | Imported


def read_origin(document: Any) -> Origin:
    """Read the stored form of either.

    Raises
    ------
    Damaged
        Where it is neither.
    """
    try:
        if document["kind"] == IMPORT:
            return Imported(tool=str(document["tool"]), facts=_texts(document["facts"]))
        if document["kind"] == RUN:
            return _read_training(document)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidReference) as error:
        raise Damaged("The bundle does not say properly where its model came from.") from error
    raise Damaged("The bundle's model came from what this samovar does not know.")


def _read_training(document: Any) -> Training:
    git = document["git"]
    return Training(
        run=Digest.parse(document["run"]),
        name=str(document["name"]),
        command=str(document["command"]),
        python=str(document["python"]),
        started=str(document["started"]),
        seconds=float(document["seconds"]),
        data=tuple(map(RunFile.from_json, document["data"])),
        code=tuple(map(RunFile.from_json, document["code"])),
        params=dict(document["params"]),
        metrics=dict(document["metrics"]),
        noise=dict(document["noise"]),
        machine=dict(document["machine"]),
        packages=_texts(document["packages"]),
        numerics=str(document["numerics"]),
        repeatable=document["repeatable"],
        git=None if git is None else GitState.from_json(git),
    )


def _whole(file: RunFile) -> RunFile:
    return RunFile(path=file.path, digest=file.digest, size_bytes=file.size_bytes)


def _texts(document: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in document.items()}
