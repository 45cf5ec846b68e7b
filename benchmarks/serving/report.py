"""The table and the plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLOURS = ("#a3420f", "#7c8aa0", "#9aa67c", "#c9c2b8")


def table(rows: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """Write a Markdown table: a name, then one column for each key of the mappings."""
    columns = list(rows[0][1])
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {name} | {' | '.join(cells[c] for c in columns)} |" for name, cells in rows]
    return "\n".join(lines)


def bars(title: str, values: Mapping[str, float]) -> str:
    """Draw horizontal bars as SVG."""
    largest = max(values.values())
    height = 44 + 34 * len(values)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="15"><title>{title}</title>'
    )
    parts = [
        opening,
        f'<rect width="720" height="{height}" fill="#fff"/>',
        f'<text x="12" y="26" font-weight="600" fill="#1d1b19">{title}</text>',
    ]
    for number, (name, value) in enumerate(values.items()):
        top = 40 + 34 * number
        width = max(1.0, 400 * value / largest)
        parts.append(
            f'<text x="180" y="{top + 18}" text-anchor="end" fill="#1d1b19">{name}</text>'
            f'<rect x="190" y="{top}" width="{width:.0f}" height="26" rx="3" '
            f'fill="{COLOURS[number % len(COLOURS)]}"/>'
            f'<text x="{196 + width:.0f}" y="{top + 18}" fill="#1d1b19">{value:,.0f}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
