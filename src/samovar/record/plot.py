"""Plot metrics over runs as SVG, one small chart for each metric; no library is needed for that."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.record.runs import Run

_WIDTH: Final = 640
_HEIGHT: Final = 160
_MARGIN: Final = 48


def plot_metrics(runs: Sequence[Run]) -> str:
    """Draw each metric over the runs, in their order.

    Returns
    -------
    str
        An SVG document.
    """
    names = sorted({name for run in runs for name in run.record.metrics})
    height = max(1, len(names)) * _HEIGHT
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="11">'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for place, name in enumerate(names):
        points = [(run.name, run.record.metrics.get(name)) for run in runs]
        parts += _chart(name, points, place * _HEIGHT)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _chart(name: str, points: Sequence[tuple[str, float | None]], top: int) -> list[str]:
    values = [value for _, value in points if value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    span = (high - low) or 1.0
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(points) - 1)
    floor = top + _HEIGHT - 32

    def at(place: int, value: float) -> tuple[float, float]:
        return _MARGIN + place * step, floor - (value - low) / span * (_HEIGHT - 64)

    placed = [
        (label, value, *at(place, value))
        for place, (label, value) in enumerate(points)
        if value is not None
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for _, _, x, y in placed)
    parts = [
        f'<text x="{_MARGIN}" y="{top + 18}" font-weight="bold">{escape(name)}</text>',
        f'<text x="4" y="{floor}">{low:.4g}</text>',
        f'<text x="4" y="{floor - _HEIGHT + 68}">{high:.4g}</text>',
        f'<polyline points="{line}" fill="none" stroke="#246" stroke-width="1.5"/>',
    ]
    for label, value, x, y in placed:
        title = f"<title>{escape(label)}: {value:.6g}</title>"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#246">{title}</circle>')
    return parts
