"""``samovar why``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.cli.train import utc_now
from samovar.compare.answer import UNEXPLAINED
from samovar.compare.ledger import Budget
from samovar.compare.question import Question
from samovar.compare.report import why_page
from samovar.compare.words import package_notes
from samovar.record.commits import run_of_commit
from samovar.record.explain import LOCAL, RAY, explain_sides
from samovar.record.sides import find_side, side_of_run
from samovar.store.atomic import write_file
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from samovar.cli.render import Screen
    from samovar.compare.answer import Answer
    from samovar.record.sides import Side


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--between", is_flag=True, help="A and B are commits; trained where no run is.")
@click.option("--metric", metavar="NAME", help="Explain this metric.")
@click.option("--predictions", is_flag=True, help="Explain the predictions.")
@click.option("--bitwise", is_flag=True, help="Explain differences of the last bits too.")
@click.option("--versions", is_flag=True, help="Find the release at which a package turned.")
@click.option("--max-runs", type=click.IntRange(min=0), metavar="N", help="At most N executions.")
@click.option(
    "--max-seconds", type=click.FloatRange(min=0), metavar="S", help="Start none after S seconds."
)
@click.option(
    "--executor",
    type=click.Choice([LOCAL, RAY]),
    default=LOCAL,
    show_default=True,
    help="Where mixtures run: here, or on the nodes of a running Ray cluster.",
)
@click.option(
    "--inputs",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ask two bundles about these rows, not about those of A's receipt.",
)
@click.option("--row", type=click.IntRange(min=0), metavar="N", help="Only row N, from 0.")
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End one then.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write one page of HTML."
)
@click.pass_obj
def command(screen: Screen, /, a: str, b: str, html: Path | None, **options: Any) -> int:
    """Find the smallest set of changes that explains why B differs from A: two runs, or bundles.

    With --between they are commits of the project in the current folder: runs that were recorded
    there are taken, and what is missing is trained in a clean checkout.

    Mixtures of the two are executed, and kept: asking again costs nothing.
    """
    if options["metric"] is not None and options["predictions"]:
        raise click.UsageError("Give --metric or --predictions, not both.")
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Reading both runs") as progress:
        if options["between"]:
            one, other = (
                _at_commit(screen, home, store, text, options["timeout"], progress)
                for text in (a, b)
            )
        else:
            one, other = (find_side(home, store, text, progress) for text in (a, b))
        answer, factors = explain_sides(
            home,
            store,
            one,
            other,
            question=Question(
                metric=options["metric"],
                predictions=options["predictions"],
                bitwise=options["bitwise"],
                versions=options["versions"],
            ),
            budget=Budget(max_runs=options["max_runs"], max_seconds=options["max_seconds"]),
            timeout_s=options["timeout"],
            executor=options["executor"],
            inputs=options["inputs"],
            row=options["row"],
            progress=progress,
        )
    if html is not None:
        write_file(html, why_page(one.name, other.name, answer, factors).encode())
    screen.result(answer.to_json(), lambda console: _people(console, answer, other.name))
    if answer.interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.ANSWER_IS_NO if answer.outcome == UNEXPLAINED else exit_codes.DONE


def _at_commit(
    screen: Screen,
    home: Home,
    store: Store,
    commit: str,
    timeout_s: float | None,
    progress: Callable[[str], None],
) -> Side:
    found = run_of_commit(
        home,
        store,
        Path.cwd(),
        commit,
        timeout_s=timeout_s,
        show=not screen.as_json,
        clock=utc_now,
        progress=progress,
    )
    for note in found.notes:
        progress(f"note: {note}")
    return side_of_run(store, found.run.name, found.run)


def _people(console: Console, answer: Answer, b: str) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(answer.sentence, markup=False)
    if answer.culprits:
        table = Table("factor", "A", "B", "effect", box=None, pad_edge=False)
        for culprit in answer.culprits:
            effect = "" if culprit.effect is None else f"{culprit.effect:+.6g}"
            cells = (culprit.factor, str(culprit.a), str(culprit.b), effect)
            table.add_row(*map(Text, cells))
        console.print(table)
    for line in package_notes(answer):
        console.print(line, markup=False)
    for found in answer.interactions:
        names = " with ".join(found.names)
        console.print(f"together: {names}: {found.effect:+.6g}", markup=False)
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)
    spent = f"{answer.runs} executions, {answer.cached_runs} known before"
    console.print(f"{spent}, {answer.seconds:.1f} s")
    if answer.check is not None:
        console.print(f"Check it: {answer.check.replace(' B ', f' {b} ')}", markup=False)
