"""Check a project against a recorded run: the same result, or the change that moved it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.compare.answer import EQUAL, NOISE, Answer
from samovar.compare.factors import factors_between
from samovar.compare.question import Question, resolve_metric
from samovar.compare.runs import MetricsComparison, compare_metrics, compare_predictions, verdict_of
from samovar.compare.verdict import DIFFERENT, IDENTICAL, Comparison
from samovar.core.run import FINISHED
from samovar.errors import UserError
from samovar.record.explain import explain_sides
from samovar.record.inputs import train_section
from samovar.record.preparing import inputs_record, prepare
from samovar.record.reproduce import predictions_of_run
from samovar.record.runs import Run
from samovar.record.sides import side_of_run
from samovar.record.train import TrainOptions, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.compare.ledger import Budget
    from samovar.project.config import Project
    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """How to check.

    Parameters
    ----------
    metric : str, optional
        Only this metric counts; by default all metrics and the predictions do.
    always : bool
        Train even where nothing that the run was made from has changed.
    explain : bool
        Search for the cause of a difference.
    budget : Budget
        What the search may cost.
    timeout_s : float, optional
        The command is ended after so many seconds.
    show : bool
        Pass the command's output on.
    """

    metric: str | None
    always: bool
    explain: bool
    budget: Budget
    timeout_s: float | None
    show: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The answer of ``check``.

    Parameters
    ----------
    reference : Run
        What had to be met.
    run : Run or None
        What the project gives now; None where nothing had changed, so nothing was run.
    verdict : str
        IDENTICAL, EQUIVALENT or DIFFERENT.
    metrics : MetricsComparison
        Recorded and observed.
    predictions : Comparison or None
        None where they are not compared.
    answer : Answer or None
        Of ``why``, where it was asked.
    sentence : str
        For people.
    """

    reference: Run
    run: Run | None
    verdict: str
    metrics: MetricsComparison
    predictions: Comparison | None
    answer: Answer | None
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether the run is still met; a difference within the noise of training meets it."""
        if self.verdict != DIFFERENT:
            return True
        return self.answer is not None and self.answer.outcome in {NOISE, EQUAL}

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``check --json`` prints."""
        compared = self.predictions
        return {
            "ok": self.ok,
            "verdict": self.verdict,
            "reference": {"run": str(self.reference.digest), "name": self.reference.name},
            "run": None if self.run is None else str(self.run.digest),
            "metrics": self.metrics.to_json(),
            "predictions": None if compared is None else {
                "max_relative_difference": compared.max_relative_difference,
                "labels_changed": compared.labels_changed,
            },
            "why": None if self.answer is None else self.answer.to_json(),
            "sentence": self.sentence,
        }  # fmt: skip


def check_project(
    home: Home,
    store: Store,
    project: Project,
    reference: Run,
    options: CheckOptions,
    *,
    clock: Callable[[], str],
    progress: Progress,
) -> Checked:
    """Train a project as it stands and compare it with a recorded run.

    Nothing is run where code, data, parameters, versions, variables and machine are the run's.

    Parameters
    ----------
    reference : Run
        What has to be met.
    options : CheckOptions
        How.
    clock, progress : callable
        As :func:`samovar.record.train.train` takes them.

    Raises
    ------
    ScriptFailed
        Where the command fails.
    NotFound
        Where the metric that counts is not one of the run.
    """
    train_section(project)
    if reference.record.status != FINISHED:
        raise UserError(f"The run {reference.name} failed, so nothing can meet it.")
    if options.metric is not None:
        resolve_metric(options.metric, list(reference.record.metrics))
    if not options.always and not _has_changed(home, store, project, reference, progress):
        metrics = compare_metrics(reference.record.metrics, reference.record.metrics)
        return Checked(
            reference=reference, run=None, verdict=IDENTICAL, metrics=metrics, predictions=None,
            answer=None,
            sentence=f"Nothing that {reference.name} was made from has changed.",
        )  # fmt: skip
    run = train(
        home,
        store,
        project,
        TrainOptions(
            settings={},
            name=f"{project.project.name}-check",
            strict_numerics=reference.record.numerics != "native",
            timeout_s=options.timeout_s,
            show=options.show,
            copy_back=False,
        ),
        clock=clock,
        progress=progress,
    )
    return _compared(home, store, reference, run, options, progress)


def _has_changed(
    home: Home, store: Store, project: Project, reference: Run, progress: Progress
) -> bool:
    with home.workspace() as workspace:
        work = prepare(
            home,
            store,
            project,
            {},
            strict_numerics=reference.record.numerics != "native",
            workspace=workspace,
            progress=progress,
        )
        now = Run(name="now", descriptor=reference.descriptor, record=inputs_record(store, work))
    one, other = (side_of_run(store, run.name, run) for run in (reference, now))
    return bool(factors_between(one.facts, other.facts, one.read, other.read))


def _compared(
    home: Home, store: Store, reference: Run, run: Run, options: CheckOptions, progress: Progress
) -> Checked:
    recorded, observed = dict(reference.record.metrics), dict(run.record.metrics)
    predictions = None
    if options.metric is not None:
        name = resolve_metric(options.metric, list(recorded))
        recorded = {name: recorded[name]}
        observed = {key: value for key, value in observed.items() if key == name}
    else:
        with home.workspace() as workspace:
            (workspace / "run").mkdir()
            one = predictions_of_run(store, reference.record, workspace)
            other = predictions_of_run(store, run.record, workspace / "run")
        if one is not None and other is not None:
            predictions = compare_predictions(one, other)
    metrics = compare_metrics(recorded, observed)
    parts = [metrics.verdict] + ([] if predictions is None else [predictions.verdict])
    verdict = verdict_of(parts)
    answer, sentence = None, _plainly(reference, verdict, metrics)
    if verdict == DIFFERENT and options.explain:
        answer, sentence = _explained(home, store, reference, run, options, sentence, progress)
    return Checked(
        reference=reference, run=run, verdict=verdict, metrics=metrics,
        predictions=predictions, answer=answer, sentence=sentence,
    )  # fmt: skip


def _explained(
    home: Home,
    store: Store,
    reference: Run,
    run: Run,
    options: CheckOptions,
    plainly: str,
    progress: Progress,
) -> tuple[Answer | None, str]:
    try:
        answer, _ = explain_sides(
            home,
            store,
            side_of_run(store, reference.name, reference),
            side_of_run(store, run.name, run),
            question=Question(metric=options.metric),
            budget=options.budget,
            timeout_s=options.timeout_s,
            progress=progress,
        )
    except UserError as error:
        # The difference stands, whether it can be explained or not.
        return None, f"{plainly} {error.message}"
    return answer, answer.sentence


def _plainly(reference: Run, verdict: str, metrics: MetricsComparison) -> str:
    if verdict != DIFFERENT:
        return f"{verdict}: the project gives what {reference.name} gave."
    moved = "; ".join(
        f"{name} was {metrics.values[name][0]} and is {metrics.values[name][1]}"
        for name in metrics.differing
    )
    return f"DIFFERENT from {reference.name}: {moved or 'the predictions changed'}."
