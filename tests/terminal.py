"""Run the installed command on a pseudo-terminal, as a person does."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

from cli import SAMOVAR

if TYPE_CHECKING:
    from pathlib import Path


def on_terminal(
    *arguments: str, columns: int, cwd: Path | None = None, **variables: str | Path
) -> str:
    """Give all that a command printed on a terminal so wide; it must succeed."""
    mine, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [SAMOVAR, *arguments],
        cwd=cwd,
        env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        stdin=its,
        stdout=its,
        stderr=its,
    ) as process:
        os.close(its)
        printed = b""
        with suppress(OSError):  # Linux ends a terminal so
            while piece := os.read(mine, 65536):
                printed += piece
    os.close(mine)
    text = printed.decode(errors="replace")
    assert process.returncode == 0, text
    return text
