"""A model in its environment, to which files of rows are handed one after another."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from samovar.bundle.child import (
    Mismatched,
    command,
    end_process,
    how_it_died,
    pass_on,
    read_answer,
    write_job,
)
from samovar.errors import EnvironmentMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from samovar.bundle.environment import Prepared
    from samovar.errors import SamovarError


class Scorer:
    """A process that loads the model while its first rows are still being read.

    A context manager: leaving it ends the process.

    Parameters
    ----------
    prepared : Prepared
        The environment.
    unpacked : Path
        The bundle's folder; its model was audited.
    workspace : Path
        Folder for the job, its result and what the model prints.
    method : str, optional
        Another method than the bundle's.
    variables : mapping of str to str
        The process's whole environment.
    """

    def __init__(
        self,
        prepared: Prepared,
        unpacked: Path,
        workspace: Path,
        *,
        method: str | None,
        variables: Mapping[str, str],
    ) -> None:
        self._result = workspace / "result.json"
        self._log = workspace / "stderr.txt"
        self._result.unlink(missing_ok=True)
        job: dict[str, Any] = {
            "verb": "predict",
            "bundle": str(unpacked),
            "wanted": prepared.wanted,
            "result": str(self._result),
        }
        if method is not None:
            job["method"] = method
        self._command = command(
            prepared.interpreter.path, prepared.runtime, write_job(workspace, job)
        )
        self._variables = dict(variables)

    def __enter__(self) -> Scorer:
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._command,
                env=self._variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        try:
            # The end of its input is the end of its work.
            _close(process)
            if kind is None:
                process.wait()
        finally:
            end_process(process)
            pass_on(self._log)

    def answer(self, source: Path, target: Path) -> None:
        """Let the model answer the frames of a file into another.

        Raises
        ------
        SamovarError
            The process's own error, raised again here; Unavailable where it died without a word.
        """
        task = json.dumps({"input": str(source), "output": str(target)}).encode() + b"\n"
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(task)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:  # it ended before it was asked, and has said why
            line = b""
        if not line:
            raise self._failure()

    def _failure(self) -> SamovarError:
        code = self._process.wait()
        if not self._result.exists():
            return how_it_died(code, self._log)
        answer = read_answer(json.loads(self._result.read_text(encoding="utf-8")))
        if isinstance(answer, Mismatched):
            return EnvironmentMismatch(
                "The environment does not answer the lock; nothing was loaded.",
                why="; ".join(str(mismatch) for mismatch in answer.mismatches),
                hint="Leave --python out, and the right environment is made.",
            )
        return how_it_died(code, self._log)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:  # what it was still to be told, it will not read
                continue
