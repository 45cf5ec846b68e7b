"""Start the runtime in a model's environment, and bring back its answer or its error.

The protocol is in docs/decisions/0001-rooms.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar import errors
from samovar.core.numerics import level_for, pinned_variables
from samovar.env.machine import cpu_flags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TAIL_CHARACTERS: Final = 2000
_END_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A distribution, or ``python``, that is not what the lock wants.

    Parameters
    ----------
    name : str
        Normalised name of the distribution, or ``python``.
    wanted : str
        Version in the lock.
    found : str or None
        Version in the environment; None where it is absent.
    files : tuple of str
        Files of it that are not what they were when they were packed, where they were looked at.
    """

    name: str
    wanted: str
    found: str | None
    files: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``verify`` prints."""
        document = {"name": self.name, "wanted": self.wanted, "found": self.found}
        return {**document, "files": list(self.files)} if self.files else document

    def __str__(self) -> str:
        if self.files:
            more = "" if len(self.files) == 1 else f" and {len(self.files) - 1} more"
            return f"{self.name} {self.wanted} was altered: {self.files[0]}{more}"
        return f"{self.name} {self.wanted} is wanted, {self.found or 'none'} was found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatched:
    """The child's answer that its environment is not the lock's; nothing was loaded."""

    mismatches: tuple[Mismatch, ...]


def numeric_level() -> str:
    """Give the numeric level that this machine can hold (core/numerics.py)."""
    import platform

    return level_for(platform.machine(), cpu_flags())


def child_variables(
    level: str, *, pinned: bool = True, write_bytecode: bool = True
) -> dict[str, str]:
    """Give the environment of a child process.

    Parameters
    ----------
    level : str
        Numeric level; ``native`` pins nothing of the arithmetic.
    pinned : bool
        Also pin time zone, locale and hash seed, on which a model's answers may depend; False for
        the user's own application.
    write_bytecode : bool
        Whether Python may keep what it compiles; False in an interpreter of the user's.

    Returns
    -------
    dict of str to str
        The caller's variables without those that would bring other code into the interpreter.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables.update(pinned_variables(level))
    if pinned:
        variables.update(TZ="UTC", LC_ALL="C.UTF-8", LANG="C.UTF-8", PYTHONHASHSEED="0")
    if not write_bytecode:
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
    return variables


def command(python: Path, runtime: Path, job: Path) -> list[str]:
    """Give the command that starts the runtime on a job file."""
    return [str(python), "-X", "utf8", "-s", str(runtime / "boot" / "boot.py"), str(job)]


def write_job(folder: Path, job: Mapping[str, Any]) -> Path:
    """Write a job file into a folder of ours and give its path."""
    path = folder / "job.json"
    path.write_text(json.dumps(job, allow_nan=False), encoding="utf-8")
    return path


def run_child(
    python: Path,
    runtime: Path,
    job: Mapping[str, Any],
    *,
    workspace: Path,
    variables: Mapping[str, str],
) -> dict[str, Any] | Mismatched:
    """Run one verb to its end.

    What the model prints goes to our stderr, so that stdout stays the command's own.

    Parameters
    ----------
    python : Path
        The interpreter of the model's environment.
    runtime : Path
        The runtime's folder for that interpreter.
    job : mapping
        Verb and arguments, without ``result``.
    workspace : Path
        Folder for the job and its result.
    variables : mapping of str to str
        The child's whole environment.

    Returns
    -------
    dict or Mismatched
        What the verb answered, or what in the environment is not the lock's.

    Raises
    ------
    SamovarError
        The child's own error, raised again here; Unavailable where it died without a word.
    """
    result = workspace / "result.json"
    result.unlink(missing_ok=True)
    job_file = write_job(workspace, {**job, "result": str(result)})
    log = workspace / "stderr.txt"
    with log.open("wb") as stderr:
        code = _wait(command(python, runtime, job_file), variables, stderr)
    if not result.exists():
        raise how_it_died(code, log)
    pass_on(log)
    return read_answer(json.loads(result.read_text(encoding="utf-8")))


def read_answer(answer: Mapping[str, Any]) -> dict[str, Any] | Mismatched:
    """Read what the runtime wrote: the verb's answer, or what is not the lock's.

    Raises
    ------
    SamovarError
        The error that it describes.
    """
    if "error" in answer:
        raise error_from_json(answer["error"])
    if answer.get("mismatches"):
        return Mismatched(
            mismatches=tuple(
                Mismatch(name=item["name"], wanted=item["wanted"], found=item["found"])
                for item in answer["mismatches"]
            )
        )
    ok = answer.get("ok")
    return ok if isinstance(ok, dict) else {}


def error_from_json(document: Mapping[str, Any]) -> errors.SamovarError:
    """Make the error that a child described."""
    family = getattr(errors, str(document.get("class")), errors.SamovarError)
    if not (isinstance(family, type) and issubclass(family, errors.SamovarError)):
        family = errors.SamovarError
    return family(
        str(document.get("message", "The model's process failed.")),
        why=document.get("why"),
        hint=document.get("hint"),
        code=document.get("code"),
    )


def _wait(arguments: Sequence[str], variables: Mapping[str, str], stderr: Any) -> int:
    process = subprocess.Popen(
        arguments, env=dict(variables), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr
    )
    try:
        return process.wait()
    finally:
        end_process(process)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End a process that has not ended by itself: asked first, then at once."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def pass_on(log: Path) -> None:
    """Show what the model's process printed on our stderr."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if text:
        sys.stderr.write(text)


def how_it_died(code: int, log: Path) -> errors.SamovarError:
    """Make the error for a process that ended without an answer."""
    tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:].strip()
    if code < 0:
        try:
            ended = f"signal {signal.Signals(-code).name}"
        except ValueError:
            ended = f"signal {-code}"
    else:
        ended = f"exit code {code}"
    return errors.Unavailable(
        f"The model's process ended with {ended} and gave no answer.",
        why=tail or None,
        hint="Out of memory ends a process with SIGKILL; a broken native library with SIGSEGV.",
        code="child_died",
    )
