"""Write an answer, or a difference, as one page of HTML that needs nothing else.

No script, no font and no picture comes from anywhere; everything that a user wrote is escaped.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.diff import tell
from samovar.compare.svg import waterfall
from samovar.compare.words import number, package_notes, short_metric
from samovar.compare.yardstick import PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samovar.compare.answer import Answer
    from samovar.compare.factors import Factor
    from samovar.compare.instrument import Step

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2329; --soft: #5b6670; --line: #d7dce0;
  --paper: #ffffff; --panel: #f5f7f8; --up: #2f7d5b; --down: #b4472f; --total: #6b7a88; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa5af; --line: #3a434b;
  --paper: #14181c; --panel: #1d2329; --up: #58b98d; --down: #e0795f; --total: #8795a2; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; line-height: 1.35; margin: .2rem 0 1rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p.runs, .soft { color: var(--soft); }
svg { width: 100%; height: auto; display: block; font: 13px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .value { fill: var(--soft); }
svg .up { fill: var(--up); } svg .down { fill: var(--down); } svg .total { fill: var(--total); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } td.number { font-variant-numeric: tabular-nums; }
code, pre { font: .88rem/1.45 ui-monospace, monospace; background: var(--panel);
  border-radius: 4px; padding: .1rem .3rem; white-space: pre-wrap; }
pre { padding: .7rem .9rem; }
ul.tree, ul.tree ul { list-style: none; padding-left: 1.1rem; border-left: 1px solid var(--line); }
ul.tree { padding-left: .8rem; } ul.tree li { margin: .15rem 0; }
details summary { cursor: pointer; color: var(--soft); }
"""
_PURPOSES: Final = {
    "guess": "what a package declares to have changed, alone",
    "halve": "half of what was left",
    "alone": "the culprits alone",
    "without": "B without the culprits",
    "share": "to share the effect out",
    "along": "what is needed to run",
    "rows": "rows one by one",
}
_MOST_SHOWN: Final = 6


def why_page(a: str, b: str, answer: Answer, factors: Sequence[Factor]) -> str:
    """Write the answer of ``why``.

    Parameters
    ----------
    a, b : str
        What the two runs are called.
    answer : Answer
        What was found.
    factors : sequence of Factor
        All that differs.
    """
    parts = [
        f"<h1>{escape(answer.sentence)}</h1>",
        f'<p class="runs">{_spent(a, b, answer)}</p>',
        _plot(answer),
        _effects(answer),
        _notes(answer),
        _check(answer, a, b),
        _path(answer),
        _all_factors(factors),
    ]
    return _page(f"Why {b} differs from {a}", parts)


def _spent(a: str, b: str, answer: Answer) -> str:
    return (
        f"A is <code>{escape(a)}</code>, B is <code>{escape(b)}</code>. {answer.runs} executions, "
        f"{answer.cached_runs} known before, {answer.seconds:.1f} s."
    )


def diff_page(a: str, b: str, factors: Sequence[Factor]) -> str:
    """Write what differs between two runs or bundles."""
    count = len(factors)
    head = f"{count} difference{'' if count == 1 else 's'}" if count else "No difference"
    parts = [
        f"<h1>{head} between {escape(a)} and {escape(b)}</h1>",
        _table(("factor", "from A to B"), (_factor_row(factor) for factor in factors)),
        *(_details(factor) for factor in factors if factor.detail),
    ]
    return _page(f"{a} and {b}", parts)


def _page(title: str, parts: Iterable[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _plot(answer: Answer) -> str:
    effects = [(one.factor, one.effect) for one in answer.culprits if one.effect is not None]
    if answer.a is None or answer.b is None or not effects:
        return ""
    label = "share of predictions that change"
    name = label if answer.metric == PREDICTIONS else short_metric(answer.metric or "")
    return f"<h2>{escape(name)}, from A to B</h2>\n{waterfall(answer.a, answer.b, effects)}"


def _effects(answer: Answer) -> str:
    if not answer.culprits:
        return ""
    spread = max(answer.noise, answer.error if answer.error != float("inf") else 0.0)
    rows = [
        (
            f"<code>{escape(one.factor)}</code>",
            _shown(one.a),
            _shown(one.b),
            "not a number" if one.effect is None else f"{_signed(one.effect)} ± {number(spread)}",
        )
        for one in answer.culprits
    ]
    rows += [
        (
            " with ".join(f"<code>{escape(name)}</code>" for name in one.names),
            "",
            "",
            f"{_signed(one.effect)} beyond their sum",
        )
        for one in answer.interactions
    ]
    rest = answer.unchanged_factors
    told = f'<p class="soft">{rest} other differences have no effect.</p>' if rest else ""
    return f"<h2>Effects</h2>\n{_table(('factor', 'A', 'B', 'effect'), rows)}\n{told}"


def _notes(answer: Answer) -> str:
    items = [f"<li>{escape(note)}</li>" for note in (*package_notes(answer), *answer.notes)]
    if answer.needed:
        items.append(f"<li>Needed along, without effect: {escape(', '.join(answer.needed))}</li>")
    if answer.suspects:
        items.append(f"<li>Not told apart: {escape(', '.join(answer.suspects))}</li>")
    return f"<h2>Notes</h2>\n<ul>{''.join(items)}</ul>" if items else ""


def _check(answer: Answer, a: str, b: str) -> str:
    command = f"samovar diff {a} {b}"
    if answer.check is not None:
        command = answer.check.replace(" B ", f" {b} ", 1)
    elif not answer.culprits:
        return ""
    return f"<h2>How to check it</h2>\n<pre>{escape(command)}</pre>"


def _path(answer: Answer) -> str:
    """Write every execution below the smallest earlier one that took more from B."""
    if not answer.steps:
        return ""
    trees = []
    for within in dict.fromkeys(step.within for step in answer.steps):
        steps = [step for step in answer.steps if step.within == within]
        title = f"Inside {within}" if within else f"B: {number(answer.b)}"
        trees.append(f"<li>{escape(title)}{_branches(steps)}</li>")
    return f'<h2>The path of executions</h2>\n<ul class="tree">{"".join(trees)}</ul>'


def _branches(steps: Sequence[Step]) -> str:
    children: dict[int | None, list[int]] = {}
    for place, step in enumerate(steps):
        larger = [other for other in range(place) if steps[other].taken > step.taken]
        parent = min(larger, key=lambda other: len(steps[other].taken), default=None)
        children.setdefault(parent, []).append(place)

    def branch(parent: int | None) -> str:
        below = children.get(parent, ())
        items = [f"<li>{_step(steps[place])}{branch(place)}</li>" for place in below]
        return f"<ul>{''.join(items)}</ul>" if items else ""

    return branch(None)


def _step(step: Step) -> str:
    names = sorted(step.taken)
    shown = ", ".join(names[:_MOST_SHOWN])
    if len(names) > _MOST_SHOWN:
        shown += f" and {len(names) - _MOST_SHOWN} more"
    result = number(step.value) if step.reading.ok else f"did not run: {step.reading.why_not}"
    purpose = _PURPOSES.get(step.purpose, step.purpose)
    return (
        f"<b>{escape(result)}</b> with {escape(shown or 'nothing of B')} "
        f'<span class="soft">({escape(purpose)})</span>'
    )


def _all_factors(factors: Sequence[Factor]) -> str:
    if not factors:
        return ""
    table = _table(("factor", "from A to B"), (_factor_row(factor) for factor in factors))
    return (
        f"<h2>All differences</h2>\n<details><summary>{len(factors)} in all</summary>"
        f"{table}</details>"
    )


def _factor_row(factor: Factor) -> tuple[str, str]:
    return f"<code>{escape(factor.name)}</code>", escape(tell(factor))


def _details(factor: Factor) -> str:
    if "hunks" in factor.detail:
        rows = [
            (escape(one["lines"]), *(f"<pre>{_shown(one[side])}</pre>" for side in ("a", "b")))
            for one in factor.detail["hunks"]
        ]
        table = _table(("lines of A", "A", "B"), rows)
    else:
        samples = factor.detail.get("samples", ())
        rows = [(str(one["row"]), _json(one["a"]), _json(one["b"])) for one in samples]
        table = _table(("row", "A", "B"), rows) if rows else ""
    return f"<h2>{escape(factor.name)}</h2>\n<p>{escape(tell(factor))}</p>\n{table}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{cells}</tr>{body}</table></div>'


def _json(value: Any) -> str:
    return "" if value is None else f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>"


def _shown(value: Any) -> str:
    return '<span class="soft">none</span>' if value is None else escape(str(value))


def _signed(effect: float) -> str:
    text = number(effect)
    return text if text.startswith("-") else f"+{text}"
