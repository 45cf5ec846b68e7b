"""Let a second processor compile a part of what the first import in a new environment compiles."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samovar.env.interpreters import Interpreter

_LAST: Final = {"sklearn": "pandas"}
"""What a package imports, where it is there, after much else that is slow to compile."""


@contextmanager
def compiled_beside(interpreter: Interpreter, variables: Mapping[str, str]) -> Iterator[None]:
    """Import in a process beside the block what the block's own process will import late.

    Python compiles a package's modules at its first import, one after the other, which is most of
    what the first use of a new environment takes; the second process leaves its bytecode where the
    first one finds it. Nothing is started where the bytecode is there already.

    Parameters
    ----------
    interpreter : Interpreter
        Of the environment.
    variables : mapping of str to str
        The process's whole environment.
    """
    site = interpreter.purelib
    late = [
        name
        for package, name in _LAST.items()
        if (site / package).is_dir()
        and (site / name).is_dir()
        and not (site / name / "__pycache__").is_dir()
    ]
    if not late:
        yield
        return
    process = subprocess.Popen(
        [str(interpreter.path), "-X", "utf8", "-s", "-c", f"import {', '.join(late)}"],
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
