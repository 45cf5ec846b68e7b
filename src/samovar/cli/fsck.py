"""``samovar fsck``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samovar.cli import exit_codes
from samovar.cli.opening import open_store
from samovar.store.reach import check

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.pass_obj
def command(screen: Screen) -> int:
    """Check every blob in the store against its digest, and every name."""
    problems = check(open_store())
    lines = [f"{problem.digest}: {problem.what}" for problem in problems]
    screen.result(
        {"ok": not problems, "problems": [problem.to_json() for problem in problems]},
        "\n".join(lines) if lines else "Every blob is what its digest says.",
    )
    return exit_codes.ANSWER_IS_NO if problems else exit_codes.DONE
