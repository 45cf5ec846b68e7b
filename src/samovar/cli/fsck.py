"""``samovar fsck``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.errors import UserError
from samovar.store.check import check
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.option("--repair", is_flag=True, help="Bring back what is damaged or missing.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="FILE.tar|REF",
    help="With --repair: ask this saved file or reference first.",
)
@click.pass_obj
def command(screen: Screen, repair: bool, sources: tuple[str, ...]) -> int:
    """Check every blob in the store against its digest, and every name."""
    if sources and not repair:
        raise UserError("--from is where a repair takes blobs from.", hint="Add --repair.")
    home = Home.locate()
    store = Store(home.store)
    if repair:
        return _repair(screen, home, store, sources)
    problems = check(store)
    lines = [f"{problem.digest}: {problem.what}" for problem in problems]
    if problems:
        lines += [
            "",
            "'samovar fsck --repair' brings back what a registry or a saved tar still has.",
        ]
    screen.result(
        {"ok": not problems, "problems": [problem.to_json() for problem in problems]},
        "\n".join(lines) if lines else "Every blob is what its digest says.",
    )
    return exit_codes.ANSWER_IS_NO if problems else exit_codes.DONE


def _repair(screen: Screen, home: Home, store: Store, sources: tuple[str, ...]) -> int:
    from samovar.bundle.repair import repair

    with screen.progress("Checking and repairing the store"):
        done = repair(home, store, sources)
    document: dict[str, Any] = {
        "ok": not done.problems,
        "problems": [problem.to_json() for problem in done.problems],
        "repaired": [brought.to_json() for brought in done.brought],
        "silent": list(done.silent),
    }
    lines = [f"{brought.digest}: brought back from {brought.source}" for brought in done.brought]
    lines += [f"{problem.digest}: {problem.what}" for problem in done.problems]
    lines += done.silent
    if not done.problems:
        lines.append("Every blob is what its digest says.")
    screen.result(document, "\n".join(lines))
    return exit_codes.ANSWER_IS_NO if done.problems else exit_codes.DONE
