"""``samovar why``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.compare.answer import UNEXPLAINED
from samovar.compare.ledger import Budget
from samovar.compare.question import Question
from samovar.compare.report import why_page
from samovar.record.explain import LOCAL, RAY, explain_sides
from samovar.record.sides import find_side
from samovar.store.atomic import write_file
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.cli.render import Screen
    from samovar.compare.answer import Answer


@click.command()
@click.argument("a")
@click.argument("b")
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
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End one then.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write one page of HTML."
)
@click.pass_obj
def command(screen: Screen, /, a: str, b: str, html: Path | None, **options: Any) -> int:
    """Find the smallest set of changes that explains why B differs from A: two runs, or bundles.

    Mixtures of the two are executed, and kept: asking again costs nothing.
    """
    if options["metric"] is not None and options["predictions"]:
        raise click.UsageError("Give --metric or --predictions, not both.")
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Reading both runs") as progress:
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
            progress=progress,
        )
    if html is not None:
        write_file(html, why_page(a, b, answer, factors).encode())
    screen.result(answer.to_json(), lambda console: _people(console, answer, b))
    if answer.interrupted:
        return exit_codes.INTERRUPTED
    return exit_codes.ANSWER_IS_NO if answer.outcome == UNEXPLAINED else exit_codes.DONE


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
    for found in answer.interactions:
        names = " with ".join(found.names)
        console.print(f"together: {names}: {found.effect:+.6g}", markup=False)
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)
    spent = f"{answer.runs} executions, {answer.cached_runs} known before"
    console.print(f"{spent}, {answer.seconds:.1f} s")
    if answer.check is not None:
        console.print(f"Check it: {answer.check.replace(' B ', f' {b} ')}", markup=False)
