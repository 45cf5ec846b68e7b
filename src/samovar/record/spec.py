"""What is executed: everything that one execution of a training command depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.run import RunFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.env.lock import Lock

Content = RunFile | bytes
"""A file that is stored, or bytes that are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One execution to come.

    Parameters
    ----------
    command : str
        As ``[train] command`` has it.
    python : str
        Version of the interpreter; its minor decides which is taken.
    lock : Lock
        What its environment has.
    code, data : mapping of str to RunFile or bytes
        By path in the project.
    params : mapping
        Nested.
    params_path, params_env : str or None
        The file and the variable that hand them over.
    metrics_path, predictions_path : str or None
        What the command writes.
    outputs : tuple of str
        What else it writes.
    env : mapping of str to str or None
        Variables that count; None is unset.
    threads : int or None
        Threads of numeric libraries; None leaves it to the variables and the machine.
    numerics : str
        Level of pinned numerics.
    """

    command: str
    python: str
    lock: Lock
    code: Mapping[str, Content]
    data: Mapping[str, Content]
    params: Mapping[str, Any]
    params_path: str | None
    params_env: str | None
    metrics_path: str | None
    predictions_path: str | None
    outputs: tuple[str, ...]
    env: Mapping[str, str | None]
    threads: int | None
    numerics: str

    @property
    def minor(self) -> str:
        """``3.11``."""
        return ".".join(self.python.split(".")[:2])

    def key(self) -> Digest:
        """Give the digest of all of it: two executions of one key differ by noise alone."""
        return Digest.of(
            canonical_json(
                {
                    "command": self.command,
                    "python": self.python,
                    "lock": str(Digest.of(self.lock.data)),
                    "code": {path: str(digest_of(one)) for path, one in self.code.items()},
                    "data": {path: str(digest_of(one)) for path, one in self.data.items()},
                    "params": dict(self.params),
                    "paths": [self.params_path, self.params_env, self.metrics_path,
                              self.predictions_path, *self.outputs],
                    "env": dict(self.env),
                    "threads": self.threads,
                    "numerics": self.numerics,
                }
            )
        )  # fmt: skip


def digest_of(content: Content) -> Digest:
    """Give the digest of a stored file or of bytes."""
    return content.digest if isinstance(content, RunFile) else Digest.of(content)
