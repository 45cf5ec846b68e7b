"""What `why` asks of whoever executes: run a mixture of A and B, and say what came out.

`why` itself opens nothing and starts nothing. `record/` implements :class:`Runner` over real
records (with :func:`samovar.compare.blend.blend` to know what to run); tests implement it over
functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from samovar.core.receipt import Tensor
    from samovar.core.run import Metric

OK: Final = "ok"
FAILED: Final = "failed"
UNINSTALLABLE: Final = "uninstallable"
TIMEOUT: Final = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """A run that is A, but for some factors.

    Parameters
    ----------
    taken : frozenset of str
        Names of the factors that are B's; no others, no parts of them.
    files : mapping of str to bytes
        By path: code or data that is neither A's nor B's, but made of both. It counts before
        ``taken``.
    packages : mapping of str to str
        Versions that are neither A's nor B's. They count before ``taken``.
    """

    taken: frozenset[str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for the same mixture, on every machine."""
        return Digest.of(
            canonical_json(
                {
                    "taken": sorted(self.taken),
                    "files": {path: str(Digest.of(data)) for path, data in self.files.items()},
                    "packages": dict(self.packages),
                }
            )
        ).hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One execution that is asked for.

    Parameters
    ----------
    mixture : Mixture
        What to run.
    repetition : int
        From 1: how often the same mixture was asked for before, and one. Another repetition of
        the same mixture is another execution. 0 is what was recorded and is never asked for.
    """

    mixture: Mixture
    repetition: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an execution ended.

    Parameters
    ----------
    status : str
        ``ok``, ``failed``, ``uninstallable`` (the resolver found no environment, or this machine
        cannot be what the mixture asks for) or ``timeout``.
    metrics : mapping of str to float, int or None
        Empty unless ``ok``.
    predictions : tuple of Tensor, optional
        None where the project has none.
    executed : bool
        Whether the command ran just now: False for an answer that was stored, and for a mixture
        that could not be installed.
    seconds : float
        Wall time.
    reason : str
        Why it is not ``ok``, one line.
    run : str, optional
        Digest of the stored run.
    """

    status: str = OK
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    predictions: tuple[Tensor, ...] | None = None
    executed: bool = True
    seconds: float = 0.0
    reason: str = ""
    run: str | None = None


class Runner(Protocol):
    """Executes mixtures; keeps every outcome, so that the same request is never executed twice."""

    def run(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Outcome]]:
        """Execute requests, at once where the machine allows, and give outcomes as they come.

        Each request is answered once, in any order. What was executed is stored before it is
        given, so that an interruption loses nothing.
        """


class Material(Protocol):
    """What the factors of two runs are made of, for looking into a guilty one."""

    def read(self, side: str, path: str) -> bytes | None:
        """Give a code or data file of side ``"a"`` or ``"b"``; None where it is not kept."""

    def versions(self, package: str, a: str, b: str) -> Sequence[str]:
        """Give the published versions strictly between two, from A's to B's; may be empty."""
