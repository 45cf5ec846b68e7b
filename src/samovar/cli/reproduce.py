"""``samovar reproduce``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.child import numeric_level
from samovar.cli import exit_codes
from samovar.compare.verdict import DIFFERENT
from samovar.record.reproduce import reproduce
from samovar.record.runs import find_or_pull_run
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("run")
@click.option(
    "--with",
    "changes",
    multiple=True,
    metavar="CHANGE",
    help="Change one thing: PARAM=VALUE, package==version or data/FILE=PATH.",
)
@click.option("--strict-numerics", is_flag=True, help="Pin what differs between processors.")
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End it then.")
@click.pass_obj
def command(screen: Screen, /, run: str, **options: Any) -> int:
    """Make a recorded run again from its record alone, and compare what comes out."""
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Reading the record") as progress:
        found = find_or_pull_run(store, run, progress)
        result = reproduce(
            home,
            store,
            found,
            changes=options["changes"],
            strict_numerics=numeric_level() if options["strict_numerics"] else None,
            timeout_s=options["timeout"],
            show=not screen.as_json,
            progress=progress,
        )
    document = result.to_json()
    screen.result(document, _people(found.name, document))
    return exit_codes.ANSWER_IS_NO if result.verdict == DIFFERENT else exit_codes.DONE


def _people(name: str, document: dict[str, Any]) -> str:
    lines = [f"{document['verdict']}: {name}"]
    for metric, pair in document["metrics"].items():
        same = "" if pair["recorded"] == pair["observed"] else "  <-"
        lines.append(f"  {metric}: recorded {pair['recorded']}, observed {pair['observed']}{same}")
    compared = document["predictions"]
    if compared is not None:
        lines.append(
            f"  predictions: largest relative difference {compared['max_relative_difference']}, "
            f"labels changed {compared['labels_changed']}"
        )
    lines += [
        f"  {output['path']}: {'identical' if output['identical'] else 'other bytes'}"
        for output in document["outputs"]
    ]
    return "\n".join(lines + [f"  machine {fact}" for fact in document["machine"]])
