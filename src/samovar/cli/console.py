"""A rich console whose sentences can be copied: only tables are fitted to the terminal."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console

_WIDE: Final = 10_000


class WordsConsole(Console):
    """Leave the wrapping of text to the terminal, and read no markup in it.

    A digest that is broken at the edge of the terminal cannot be copied, and a name may have
    brackets. A pipe has no edge.
    """

    def __init__(self, stream: Any) -> None:
        is_piped = not stream.isatty()
        super().__init__(
            file=stream,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=is_piped,
            width=_WIDE if is_piped else None,
        )

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does; what is text alone is not wrapped."""
        if all(isinstance(item, str) for item in objects):
            options.setdefault("soft_wrap", True)
        super().print(*objects, **options)
