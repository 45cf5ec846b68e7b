"""The answer of `why`: what moved the result, by how much, and how we know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from samovar.compare.instrument import Step
    from samovar.compare.shares import Interaction
    from samovar.compare.versions import Turn

EXPLAINED: Final = "explained"
NOISE: Final = "noise"
EQUAL: Final = "equal"
UNEXPLAINED: Final = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A change that moved the result.

    Parameters
    ----------
    factor : str
        Its name, as fine as it was shown.
    a, b : object
        Both values.
    effect : float or None
        Its share of the difference; None where the metric is not finite on a side.
    together : tuple of str
        Factors that no mixture that runs tells from it.
    turn : Turn, optional
        For a package: the releases between which the result changed.
    declared : tuple of str
        What a package declares of its changes, for names that the code uses.
    changelog : str, optional
        Where a package tells its changes: an address, or a file of its own.
    """

    factor: str
    a: Any
    b: Any
    effect: float | None
    together: tuple[str, ...] = ()
    turn: Turn | None = None
    declared: tuple[str, ...] = ()
    changelog: str | None = None

    @property
    def changed_in(self) -> str:
        """The version of a package whose changes are to be looked up."""
        return str(self.b) if self.turn is None else self.turn.first_unlike_a

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``why`` prints."""
        document = {"factor": self.factor, "a": self.a, "b": self.b, "effect": self.effect}
        if self.together:
            document["together"] = list(self.together)
        if self.turn is not None:
            document["between"] = [self.turn.last_like_a, self.turn.first_unlike_a]
        if self.declared:
            document["declared"] = list(self.declared)
        if self.changelog is not None:
            document["changelog"] = {"place": self.changelog, "version": self.changed_in}
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that `why` found.

    Parameters
    ----------
    outcome : str
        ``explained``, ``noise``, ``equal`` or ``unexplained``.
    metric : str or None
        What was explained, ``predictions`` included; None where A and B are equal.
    a, b : float or None
        Its values; for predictions, the share that differs from A's.
    delta : float or None
        ``b - a``.
    culprits : tuple of Culprit
        Largest effect first.
    interactions : tuple of Interaction
        What culprits do only together.
    unchanged_factors : int
        How many differences have no effect.
    noise : float
        How much the metric moves by itself (standard deviation over repetitions).
    runs, cached_runs : int
        New executions, and those that were known already.
    seconds : float
        In all.
    sentence : str
        For people.
    error : float
        Half-width of the 95 % interval of sampled effects; 0 where they are exact.
    needed : tuple of str
        What culprits need along in order to run.
    suspects : tuple of str
        Among which the cause is, where the search was cut short.
    notes : tuple of str
        What else a reader has to know.
    check : str or None
        A command that shows the first culprit's effect again.
    interrupted : bool
        Whether the user ended the search.
    steps : tuple of Step
        Every measured mixture, in order.
    """

    outcome: str
    metric: str | None
    a: float | None
    b: float | None
    delta: float | None
    culprits: tuple[Culprit, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    unchanged_factors: int = 0
    noise: float = 0.0
    runs: int = 0
    cached_runs: int = 0
    seconds: float = 0.0
    sentence: str = ""
    error: float = 0.0
    needed: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    check: str | None = None
    interrupted: bool = False
    steps: tuple[Step, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``why`` prints."""
        document: dict[str, Any] = {
            "outcome": self.outcome,
            "metric": self.metric,
            "a": self.a,
            "b": self.b,
            "delta": self.delta,
            "culprits": [culprit.to_json() for culprit in self.culprits],
            "interactions": [
                {"factors": list(one.names), "effect": one.effect} for one in self.interactions
            ],
            "unchanged_factors": self.unchanged_factors,
            "noise": self.noise,
            "runs": self.runs,
            "cached_runs": self.cached_runs,
            "seconds": round(self.seconds, 3),
            "sentence": self.sentence,
        }
        more: dict[str, Any] = {
            "needed": list(self.needed),
            "suspects": list(self.suspects),
            "notes": list(self.notes),
            "check": self.check,
        }
        if 0.0 < self.error < float("inf"):
            more["error"] = self.error
        if self.interrupted:
            more["interrupted"] = True
        return {**document, **{key: value for key, value in more.items() if value}}
