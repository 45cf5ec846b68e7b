"""``samovar runs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.core.run import FAILED, FINISHED, flatten
from samovar.errors import UserError
from samovar.record.checkout import check_out
from samovar.record.runs import find_run, list_runs
from samovar.record.table import compare_runs, export_runs, filter_runs
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from samovar.cli.render import Screen
    from samovar.record.runs import Run


@click.command()
@click.argument("words", nargs=-1, metavar="[show RUN | compare A B... | checkout RUN DIR]")
@click.option("--failed", is_flag=True, help="List the runs whose script failed.")
@click.option("--sort", metavar="NAME", help="Order by a metric or parameter, largest first.")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Only runs with this parameter.")
@click.option(
    "--export",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write .csv, .parquet, or a plot of the metrics as .svg.",
)
@click.pass_obj
def command(screen: Screen, /, words: tuple[str, ...], **options: Any) -> int:
    """List recorded runs, or show, compare or check out some."""
    store = Store(Home.locate().store)
    if words:
        return _sub(screen, store, words)
    wanted = FAILED if options["failed"] else FINISHED
    runs = [run for run in list_runs(store) if run.record.status == wanted]
    runs = filter_runs(runs, where=options["where"], sort=options["sort"])
    if options["export"] is not None:
        export_runs(runs, options["export"])
    document = {
        "runs": [
            {"run": str(run.digest), "name": run.name, "metrics": dict(run.record.metrics)}
            for run in runs
        ]
    }
    screen.result(document, lambda console: _table(console, runs))
    return exit_codes.DONE


def _sub(screen: Screen, store: Store, words: Sequence[str]) -> int:
    verb, *names = words
    if verb == "show" and len(names) == 1:
        run = find_run(store, names[0])
        document = describe(run)
        screen.result(document, lambda console: _story(console, document))
    elif verb == "compare" and len(names) >= 2:
        compared = compare_runs([find_run(store, name) for name in names])
        screen.result(compared, lambda console: _comparison(console, compared))
    elif verb == "checkout" and len(names) == 2:
        folder = Path(names[1])
        written = check_out(store, find_run(store, names[0]), folder)
        screen.result(
            {"path": str(folder), "written": written}, f"Wrote {len(written)} files to {folder}."
        )
    else:
        raise UserError(
            f"'samovar runs {' '.join(words)}' is not understood.",
            hint="samovar runs; runs show RUN; runs compare A B; runs checkout RUN DIR",
        )
    return exit_codes.DONE


def describe(run: Run) -> dict[str, Any]:
    """Give the object that ``runs show --json`` prints: the whole record."""
    document = run.record.to_json()
    document.pop("run")
    return {"run": str(run.digest), "name": run.name, **document}


def _table(console: Console, runs: Sequence[Run]) -> None:
    from rich.table import Table

    if not runs:
        console.print("No runs yet. 'samovar train' records one.")
        return
    metrics = sorted({name for run in runs for name in run.record.metrics})
    table = Table("Name", "Run", "Started", *metrics, "Commit", box=None, pad_edge=False)
    for run in runs:
        record = run.record
        commit = "" if record.git is None else record.git.commit[:8] + "*" * record.git.dirty
        values = [_number(record.metrics.get(name)) for name in metrics]
        table.add_row(run.name, run.digest.short, record.started[:19], *values, commit)
    console.print(table)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _story(console: Console, document: dict[str, Any]) -> None:
    console.print(f"{document['name']} ({document['run']}), {document['status']}")
    console.print(f"  {document['command']}, started {document['started']}")
    console.print(f"  Python {document['python']}, {len(document['packages'])} packages")
    for kind in ("code", "data", "outputs"):
        for file in document[kind]:
            console.print(f"  {kind:7} {file['path']} {file['digest'][:19]}")
    for name, value in flatten(document["params"]).items():
        console.print(f"  param   {name} = {value}")
    for name, value in document["metrics"].items():
        console.print(f"  metric  {name} = {value}")
    machine = document["machine"]
    console.print(f"  machine {machine.get('cpu')}, {machine.get('threads')} threads")
    if document["git"] is not None:
        dirty = ", with changes" if document["git"]["dirty"] else ""
        console.print(f"  commit  {document['git']['commit']}{dirty}")
    for warning in document["warnings"]:
        console.print(f"  warning {warning}")


def _comparison(console: Console, compared: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("", *compared["runs"], box=None, pad_edge=False)
    for row in compared["rows"]:
        table.add_row(
            row["name"], *("" if value is None else str(value) for value in row["values"])
        )
    console.print(table)
