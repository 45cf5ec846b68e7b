"""What `why` explains: a metric, or the predictions where the metrics are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.compare.runner import OK, Outcome
from samovar.compare.runs import BITWISE, RUN_POLICY, is_same_metric, relative_difference
from samovar.compare.yardstick import PREDICTIONS, share_changed
from samovar.errors import NotFound, UserError

if TYPE_CHECKING:
    from samovar.core.receipt import Policy

_QUALITY: Final = (
    "accuracy", "f1", "auc", "precision", "recall", "score", "r2", "rmse", "mse", "mae", "mape",
    "loss", "error", "ari", "rand", "ndcg", "map", "iou", "dice", "bleu", "perplexity", "inertia",
    "silhouette", "brier", "kappa", "mcc",
)  # fmt: skip
"""Words in the names of metrics that measure quality; earlier ones are explained first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Parameters
    ----------
    metric : str, optional
        The metric to explain; its last part is enough where no other ends so.
    predictions : bool
        Explain the predictions, whatever the metrics are.
    bitwise : bool
        Explain differences of bits too.
    versions : bool
        Find the release at which a guilty package changed the result.
    """

    metric: str | None = None
    predictions: bool = False
    bitwise: bool = False
    versions: bool = False

    @property
    def policy(self) -> Policy:
        """How large a relative difference is none."""
        return BITWISE if self.bitwise else RUN_POLICY


def choose(question: Question, a: Outcome, b: Outcome) -> str | None:
    """Choose what is explained.

    Returns
    -------
    str or None
        The name of a metric, ``predictions``, or None where A and B are equal to the policy.

    Raises
    ------
    UserError
        Where there is nothing that both runs have.
    """
    for side, outcome in (("A", a), ("B", b)):
        if outcome.status != OK:
            raise UserError(
                f"Run {side} failed, so it has no result to explain.",
                why=outcome.reason or None,
                hint="'samovar runs' lists the runs that finished.",
                code="failed_run",
            )
    common = [name for name in a.metrics if name in b.metrics]
    both_predict = a.predictions is not None and b.predictions is not None
    if question.metric is not None:
        name = resolve_metric(question.metric, common)
        return name if _differs(question, a, b, name) else None
    if question.predictions and not both_predict:
        raise UserError(
            "The runs have no predictions.",
            hint="Set [train] predictions in samovar.toml and train again.",
            code="no_predictions",
        )
    if not common and not both_predict:
        raise UserError(
            "The two runs have no metric in common.",
            why=f"A has {_listed(a)}; B has {_listed(b)}.",
            hint="Write the same metric in both, or record predictions.",
            code="no_common_metric",
        )
    differing = [name for name in common if _differs(question, a, b, name)]
    if differing and not question.predictions:
        return min(differing, key=lambda name: _rank(name, a, b))
    if both_predict and _predictions_differ(question, a, b):
        return PREDICTIONS
    return None


def resolve_metric(name: str, known: list[str]) -> str:
    """Find a metric by its name or its last part.

    Raises
    ------
    NotFound
        Naming those that both runs have.
    """
    ending = [one for one in known if one == name or one.endswith(f".{name}")]
    if name in known or len(ending) == 1:
        return name if name in known else ending[0]
    listed = ", ".join(ending or known) or "none"
    raise NotFound(
        f"{name!r} is not a metric of both runs.",
        why=f"They have in common: {listed}.",
        hint="Give one of these to --metric.",
        code="no_such_metric",
    )


def _differs(question: Question, a: Outcome, b: Outcome, name: str) -> bool:
    return not is_same_metric(a.metrics[name], b.metrics[name], question.policy)


def _predictions_differ(question: Question, a: Outcome, b: Outcome) -> bool:
    if a.predictions is None or b.predictions is None:
        return False
    return share_changed(a.predictions, b.predictions, question.policy) > 0.0


def _rank(name: str, a: Outcome, b: Outcome) -> tuple[int, float, str]:
    last = name.rpartition(".")[2].lower()
    quality = next((i for i, word in enumerate(_QUALITY) if word in last), len(_QUALITY))
    one, other = a.metrics[name], b.metrics[name]
    size = 1.0 if one is None or other is None else relative_difference(one, other)
    return quality, -size, name


def _listed(outcome: Outcome) -> str:
    return ", ".join(outcome.metrics) or "none"
