"""``samovar plan``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.cli.sizes import human_size, human_time, read_duration
from samovar.cli.targets import open_target
from samovar.core.reference import Reference
from samovar.deploy.capacity.replica import Load
from samovar.deploy.capacity.simulation import BALANCES
from samovar.deploy.capacity.sizing import MOST, Choice, Goal, Measured, choices
from samovar.errors import InvalidInput, UserError
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from samovar.cli.render import Screen


@click.command()
@click.argument("target", required=False)
@click.option("--rate", type=float, required=True, help="Requests a second, all together.")
@click.option("--p99", "p99_s", callback=read_duration, required=True, metavar="TIME",
              help="What 99 of 100 requests may take at most, as 50ms.")  # fmt: skip
@click.option("--rows", type=click.IntRange(1, 1_000_000), default=1, show_default=True,
              help="In each request.")  # fmt: skip
@click.option(
    "--cpus", type=click.FloatRange(0.01, 1024), help="Of a replica; else sizes compared."
)
@click.option("--max-utilization", type=click.FloatRange(0.05, 0.99), default=0.8,
              show_default=True, help="Share of what a replica can do.")  # fmt: skip
@click.option("--spare", type=click.IntRange(0, MOST), default=0, show_default=True,
              help="Replicas that may be away.")  # fmt: skip
@click.option("--balance", type=click.Choice(BALANCES), default=BALANCES[0], show_default=True,
              help="How requests are dealt out; a Service of Kubernetes: at random.")  # fmt: skip
@click.option("--cost", "cost_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Measured earlier: what 'plan --json' printed.")  # fmt: skip
@click.pass_obj
def command(screen: Screen, /, target: str | None, **options: Any) -> int:
    """Say how many replicas of which size a load needs, from what TARGET's requests cost here."""
    goal = Goal(
        load=Load(rate_per_s=options["rate"], rows=options["rows"]),
        p99_s=options["p99_s"],
        max_utilization=options["max_utilization"],
        balance=options["balance"],
    )
    if options["cost_file"] is None:
        measured = _measure(screen, target, goal.load.rows)
    elif target is not None:
        raise UserError("TARGET is not measured where --cost is given.", hint="Give one of them.")
    else:
        measured = _read_cost(options["cost_file"])
    sizes = None if options["cpus"] is None else (options["cpus"],)
    with screen.progress("Simulating") as progress:
        found = choices(goal, measured, sizes=sizes, progress=progress)
    document = {"measured": measured.to_json(), **_document(goal, found, options["spare"])}
    screen.result(document, _for_people(goal, measured, found, document["sentence"]))
    return exit_codes.DONE if found else exit_codes.ANSWER_IS_NO


def _measure(screen: Screen, target: str | None, rows: int) -> Measured:
    from samovar.deploy.capacity.measure import measure_bundle

    name, bundle = open_target(screen, target)
    home = Home.locate()
    with screen.progress("Preparing the environment") as progress:
        return measure_bundle(
            home,
            Store(home.store),
            bundle,
            name=Reference.parse(name).name,
            rows=rows,
            progress=progress,
        )


def _read_cost(path: Path) -> Measured:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{path} is no JSON document.",
            hint="Give a file that 'samovar plan --json' printed.",
            code="invalid_cost",
        ) from error
    return Measured.from_json(document.get("measured") if isinstance(document, dict) else None)


def _document(goal: Goal, found: Sequence[Choice], spare: int) -> dict[str, Any]:
    """Give the best choice, what it says in words, and all of them."""
    listed = [{**one.to_json(), "replicas": one.replicas + spare} for one in found]
    best: dict[str, Any] = dict.fromkeys(
        ("replicas", "cpus", "workers", "memory_bytes", "utilization", "p50_s", "p99_s",
         "simulated_replicas")
    )  # fmt: skip
    if listed:
        best = listed[0]
    return {**best, "choices": listed, "sentence": _sentence(goal, listed, spare)}


def _sentence(goal: Goal, listed: Sequence[dict[str, Any]], spare: int) -> str:
    if not listed:
        return (
            f"No number of replicas up to {MOST} answers {goal.load.rate_per_s:g} requests a second"
            f" with a p99 of {human_time(goal.p99_s)}."
        )
    best = listed[0]
    count = best["replicas"]
    what = "replica" if count == 1 else "replicas"
    memory = "" if best["memory_bytes"] is None else f" and {_mib(best['memory_bytes'])}"
    spared = f", {spare} of them to spare" if spare else ""
    return (
        f"{count} {what} of {best['cpus']:g} CPU{memory}{spared}: "
        f"p99 {human_time(best['p99_s'])} of {human_time(goal.p99_s)}, "
        f"{best['utilization']:.0%} used."
    )


def _mib(size_bytes: int) -> str:
    return f"{math.ceil(size_bytes / 2**20)} MiB"


def _for_people(
    goal: Goal, measured: Measured, found: Sequence[Choice], sentence: str
) -> Callable[[Console], None]:
    def show(console: Console) -> None:
        from rich.table import Table

        cost = measured.cost
        console.print(sentence)
        console.print(
            f"A call costs {human_time(cost.turn_s)}, a request {human_time(cost.request_s)}, "
            f"a row {human_time(cost.row_s)}"
            + ("; requests share calls." if measured.merges else "; each request is a call.")
        )
        if len(found) > 1:
            table = Table("replicas", "CPU each", "CPU in all", "memory each", "used", "p50", "p99")
            for one in found:
                memory = "" if one.memory_bytes is None else human_size(one.memory_bytes)
                table.add_row(
                    str(one.replicas), f"{one.shape.cpus:g}", f"{one.total_cpus:g}", memory,
                    f"{one.utilization:.0%}", human_time(one.p50_s), human_time(one.p99_s),
                )  # fmt: skip
            console.print(table)
        if goal.load.rows > 1:
            console.print(f"Each request has {goal.load.rows} rows.")

    return show
