"""Carry out one job: check the environment, then do what the verb says."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samovar.errors import Interrupted, OutOfSpace, SamovarError, Unavailable, UserError
from samovar.runtime import endings
from samovar.runtime.job import Job, error_document, write_result
from samovar.runtime.packages import find_mismatches

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_SPACE = 28


def main(job_file: str) -> int:
    """Carry out the job in a file and give the process's exit code.

    Parameters
    ----------
    job_file : str
        Path of the job (docs/decisions/0001-rooms.md).
    """
    try:
        job = Job.read(Path(job_file))
    except SamovarError as error:
        return endings.fail(error, as_json=False)
    if job.verb == "serve":
        from samovar.runtime.serve import serve

        return serve(job)
    if job.verb == "start":
        from samovar.runtime.start import start

        return start(job)
    return _answer(job)


def _answer(job: Job) -> int:
    try:
        document = _carry_out(job)
    except SamovarError as error:
        if os.environ.get("SAMOVAR_DEBUG", "") not in {"", "0"}:
            import traceback

            traceback.print_exc()
        document, code = {"error": error_document(error)}, endings.of_error(error)
    else:
        code = endings.DONE
    if job.result is not None:
        write_result(job.result, document)
    return code


def _carry_out(job: Job) -> dict[str, Any]:
    mismatches = find_mismatches(job.wanted)
    if mismatches:
        return {"mismatches": mismatches}
    verb = _verb(job.verb)
    try:
        return {"ok": verb(job)}
    except KeyboardInterrupt:
        raise Interrupted("Interrupted.") from None
    except MemoryError:
        raise Unavailable(
            "The model's process has not enough memory.", hint="Use a machine with more."
        ) from None
    except OSError as error:
        if error.errno == _NO_SPACE:
            raise OutOfSpace("There is no space left.", hint="Free some space.") from error
        raise Unavailable(f"{error.strerror or error}", code="operating_system") from error


def _verb(name: str) -> Callable[[Job], dict[str, Any]]:
    if name == "record":
        from samovar.runtime.record import record

        return record
    if name == "replay":
        from samovar.runtime.replay import replay

        return replay
    if name == "predict":
        from samovar.runtime.predict import predict

        return predict
    if name == "export":
        from samovar.runtime.exporting.verb import export

        return export
    raise UserError(f"The runtime has no verb {name!r}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
