"""``samovar diff``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.cli import exit_codes
from samovar.compare.diff import tell
from samovar.compare.report import diff_page
from samovar.record.sides import diff_sides, find_side
from samovar.store.atomic import write_file
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.cli.render import Screen
    from samovar.compare.factors import Factor


@click.command()
@click.argument("a")
@click.argument("b")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write one page of HTML."
)
@click.pass_obj
def command(screen: Screen, a: str, b: str, html: Path | None) -> int:
    """Name every factor that differs between two runs or bundles; nothing is executed."""
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Reading both") as progress:
        one, other = (find_side(home, store, text, progress) for text in (a, b))
        factors = diff_sides(one, other)
    if html is not None:
        write_file(html, diff_page(a, b, factors).encode())
    document = {"factors": [factor.to_json() for factor in factors]}
    screen.result(document, lambda console: _people(console, a, b, factors))
    return exit_codes.DONE


def _people(console: Console, a: str, b: str, factors: tuple[Factor, ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not factors:
        console.print(f"{a} and {b} were made from the same.", markup=False)
        return
    table = Table("factor", f"{a} → {b}", box=None, pad_edge=False)
    for factor in factors:
        table.add_row(Text(factor.name), Text(tell(factor)))
    console.print(table)
    console.print(f"{len(factors)} differ. Which of them moved the result: samovar why {a} {b}")
