"""Run a training command in its clean copy, with what it prints kept and shown."""

from __future__ import annotations

import math
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from samovar.errors import Interrupted, InvalidProject, ScriptFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_END_S: Final = 5.0
_LOOK_S: Final = 0.1
_CHUNK: Final = 64 * 1024
_PYTHONS: Final = ("python", "python3", "py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How a command ended.

    Parameters
    ----------
    code : int
        Its exit code; negative is the signal that ended it.
    timed_out : bool
        Whether it was ended because it took too long.
    seconds : float
        Wall time.
    peak_memory_bytes : int or None
        Largest resident size of it and its children, where the platform tells.
    stdout, stderr : bytes
        What it printed.
    """

    code: int
    timed_out: bool
    seconds: float
    peak_memory_bytes: int | None
    stdout: bytes
    stderr: bytes


def split_command(command: str, python: Path) -> list[str]:
    """Split a training command into arguments; ``python`` is the environment's own.

    Raises
    ------
    InvalidProject
        Where the command is empty or its quotes do not close.
    """
    try:
        arguments = shlex.split(command, posix=os.name == "posix")
    except ValueError as error:
        raise InvalidProject(
            f"The training command {command!r} cannot be read.",
            why=str(error),
            hint="Correct [train] command in samovar.toml.",
        ) from error
    if not arguments:
        raise InvalidProject(
            "The project has no training command.",
            hint='Set [train] command = "python train.py" in samovar.toml.',
            code="no_command",
        )
    if arguments[0] in _PYTHONS:
        return [str(python), *arguments[1:]]
    beside = python.parent / arguments[0]
    return [str(beside), *arguments[1:]] if beside.exists() else arguments


def execute(
    arguments: Sequence[str],
    *,
    folder: Path,
    variables: Mapping[str, str],
    timeout_s: float | None,
    show: bool,
    stop: threading.Event | None = None,
) -> Execution:
    """Run a command to its end, keeping and showing what it prints.

    Parameters
    ----------
    arguments : sequence of str
        The command; never a shell's.
    folder : Path
        Where it runs.
    variables : mapping of str to str
        Its whole environment.
    timeout_s : float, optional
        It, and what it started, is ended after so many seconds.
    show : bool
        Pass its output on to our stderr while it runs.
    stop : threading.Event, optional
        Once it is set, by another thread, the command is ended.

    Raises
    ------
    ScriptFailed
        Where the command does not exist.
    Interrupted
        Where it was stopped.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            list(arguments),
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        raise ScriptFailed(
            f"The training command cannot be started: {arguments[0]}.",
            why=error.strerror,
            hint="Is it in the project's requirements? See [train] command in samovar.toml.",
            code="no_command",
        ) from error
    pipes = [(process.stdout, bytearray()), (process.stderr, bytearray())]
    readers = [
        threading.Thread(target=_drain, args=(pipe, kept, show), daemon=True)
        for pipe, kept in pipes
    ]
    for reader in readers:
        reader.start()
    timed_out = False
    try:
        _wait(process, timeout_s, stop)
    except subprocess.TimeoutExpired:
        timed_out = True
        _end(process)
    except BaseException:
        _end(process)
        raise
    peak = _peak_memory()
    for reader in readers:
        reader.join(_END_S)
    return Execution(
        code=process.returncode,
        timed_out=timed_out,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak,
        stdout=bytes(pipes[0][1]),
        stderr=bytes(pipes[1][1]),
    )


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float | None, stop: threading.Event | None
) -> None:
    if stop is None:
        process.wait(timeout_s)
        return
    ends = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while not stop.is_set():
        left = ends - time.monotonic()
        try:
            process.wait(min(_LOOK_S, max(left, 0.0)))
        except subprocess.TimeoutExpired:
            if left <= 0:
                raise
        else:
            return
    raise Interrupted("The execution was stopped.")


def _drain(pipe: IO[bytes] | None, kept: bytearray, show: bool) -> None:  # noqa: FBT001 - a thread's target
    if pipe is None:
        return
    with pipe:
        while chunk := os.read(pipe.fileno(), _CHUNK):
            kept += chunk
            if show:
                sys.stderr.write(chunk.decode("utf-8", "replace"))
                sys.stderr.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started in its session."""
    for force in (False, True):
        try:
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
            else:
                process.terminate()
        except ProcessLookupError:
            pass
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            continue
        break
    process.wait()


def _peak_memory() -> int | None:
    """Give the largest resident size of any child that has ended, in bytes."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
