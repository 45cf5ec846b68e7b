"""Lines that people wait for, read without a parser: ``build [TARGET]``, ``push REF [AS]``.

Importing click takes longer than finding out that nothing has changed. A line with any option but
``--json`` and ``--offline`` is click's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samovar.cli.render import Screen


def carry_out(arguments: list[str], screen: Screen) -> int | None:
    """Carry out a plain line and give its exit code; None where it is another one."""
    if any(word.startswith("-") for word in arguments):
        return None
    match arguments:
        case ["build", *targets] if len(targets) <= 1:
            from samovar.cli.building import build

            return build(screen, targets[0] if targets else None)
        case ["push", reference, *destinations] if len(destinations) <= 1:
            from samovar.cli.pushing import push_name

            return push_name(screen, reference, destinations[0] if destinations else None)
    return None
