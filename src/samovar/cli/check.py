"""``samovar check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.cli.arguments import FOLDER
from samovar.cli.train import utc_now
from samovar.compare.ledger import Budget
from samovar.errors import InvalidProject
from samovar.project.config import read_project
from samovar.record.check import CheckOptions, check_project
from samovar.record.runs import find_or_pull_run
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.cli.render import Screen
    from samovar.record.check import Checked

_MAX_RUNS = 16


@click.command()
@FOLDER
@click.option("--run", metavar="RUN", help="The run to meet, instead of [check] run.")
@click.option("--metric", metavar="NAME", help="Only this metric counts.")
@click.option("--always", is_flag=True, help="Train even where nothing has changed.")
@click.option("--no-why", is_flag=True, help="Do not search for the cause of a difference.")
@click.option(
    "--max-runs",
    type=click.IntRange(min=0),
    default=_MAX_RUNS,
    metavar="N",
    help=f"At most N executions for the search; {_MAX_RUNS} by default.",
)
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End it then.")
@click.pass_obj
def command(screen: Screen, /, folder: Path, **options: Any) -> int:
    """Train the project and fail, with the cause, where a recorded run is not met any more.

    The run is named by [check] run in samovar.toml. Where nothing that it was made from has
    changed, nothing is run. The project's own files stay as they are.
    """
    project = read_project(folder)
    wanted = options["run"] or (None if project.check is None else project.check.run)
    if wanted is None:
        raise InvalidProject(
            "samovar.toml names no run to check against.",
            hint="Write [check] and run = \"NAME\" ('samovar runs' lists them), or give --run.",
            code="no_check",
        )
    metric = options["metric"] or (None if project.check is None else project.check.metric)
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Checking") as progress:
        checked = check_project(
            home,
            store,
            project,
            find_or_pull_run(store, wanted, progress),
            CheckOptions(
                metric=metric,
                always=options["always"],
                explain=not options["no_why"],
                budget=Budget(max_runs=options["max_runs"], max_seconds=None),
                timeout_s=options["timeout"],
                show=not screen.as_json,
            ),
            clock=utc_now,
            progress=progress,
        )
    screen.result(checked.to_json(), _people(checked))
    if checked.answer is not None and checked.answer.interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.DONE if checked.ok else exit_codes.ANSWER_IS_NO


def _people(checked: Checked) -> str:
    lines = [checked.sentence]
    if checked.run is not None and not checked.ok:
        lines.append(f"Next: samovar why {checked.reference.name} {checked.run.digest}")
    return "\n".join(lines)
