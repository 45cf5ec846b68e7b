"""Draw effects as a waterfall from A to B, in SVG that stands by itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from samovar.compare.words import number

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 560
_ROW: Final = 34
_LABELS: Final = 190
_VALUES: Final = 70
_LONGEST: Final = 27


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: from one value to another."""

    label: str
    start: float
    end: float
    is_total: bool = False


def waterfall(a: float, b: float, effects: Sequence[tuple[str, float]]) -> str:
    """Draw A, each effect, and B.

    Parameters
    ----------
    a, b : float
        The metric on both sides.
    effects : sequence of (str, float)
        What each culprit does, in the order in which they are drawn.

    Returns
    -------
    str
        An ``svg`` element; colours are the page's (classes ``total``, ``up``, ``down``).
    """
    bars = [Bar("A", 0.0, a, is_total=True)]
    level = a
    for label, effect in effects:
        bars.append(Bar(label, level, level + effect))
        level += effect
    bars.append(Bar("B", 0.0, b, is_total=True))
    # Bars of totals begin at the edge of the drawing, where effects would vanish beside them.
    ends = [bar.end for bar in bars]
    low, high = min(ends), max(ends)
    margin = (high - low) * 0.25 or abs(high) or 1.0
    low, high = low - margin, high + margin * 0.25
    height = _ROW * len(bars) + 8
    rows = [_row(place, bar, low, high) for place, bar in enumerate(bars)]
    told = ", ".join(f"{bar.label} {number(bar.end)}" for bar in bars if bar.is_total)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(f"Waterfall of effects: {told}")}">{"".join(rows)}</svg>'
    )


def _row(place: int, bar: Bar, low: float, high: float) -> str:
    span = _WIDTH - _LABELS - _VALUES

    def across(value: float) -> float:
        return _LABELS + span * (value - low) / (high - low)

    start = low if bar.is_total else bar.start
    left, right = sorted((across(start), across(bar.end)))
    kind = "total" if bar.is_total else "up" if bar.end >= bar.start else "down"
    change = bar.end if bar.is_total else bar.end - bar.start
    text = number(change) if bar.is_total or change < 0 else f"+{number(change)}"
    top = 4 + place * _ROW
    label = bar.label if len(bar.label) <= _LONGEST else "…" + bar.label[1 - _LONGEST :]
    return (
        f'<text class="label" x="{_LABELS - 10}" y="{top + 20}" text-anchor="end">'
        f"<title>{escape(bar.label)}</title>{escape(label)}</text>"
        f'<rect class="{kind}" x="{left:.1f}" y="{top + 4}" width="{max(right - left, 1.5):.1f}" '
        f'height="{_ROW - 12}" rx="3"/>'
        f'<text class="value" x="{right + 6:.1f}" y="{top + 20}">{escape(text)}</text>'
    )
