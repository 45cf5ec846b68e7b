"""Say an answer in one sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from samovar.compare.answer import EQUAL, EXPLAINED, NOISE
from samovar.compare.yardstick import PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from samovar.compare.answer import Answer, Culprit

_MOST_NAMED = 4
_ROWS = re.compile(r"rows (\d+)-(\d+)$")


def number(value: float | None) -> str:
    """Write a number for people.

    Examples
    --------
    >>> number(0.8111), number(-12.5), number(None), number(1e-14)
    ('.811', '-12.5', 'NaN', '1e-14')
    """
    if value is None:
        return "NaN"
    if 0.001 <= abs(value) < 1:
        return f"{value:.3f}".replace("0.", ".", 1)
    return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.6g}"


def pair(a: float | None, b: float | None) -> tuple[str, str]:
    """Write two numbers with as many digits as it takes to tell them apart."""
    one, other = number(a), number(b)
    digits = 4
    while one == other and a != b and a is not None and b is not None and digits < 17:
        digits += 1
        one, other = f"{a:.{digits}g}", f"{b:.{digits}g}"
    return one, other


def headline(answer: Answer) -> str:
    """Say what changed: ``accuracy .811 → .550``."""
    if answer.metric == PREDICTIONS:
        return f"{_percent(answer.delta)} of the predictions change"
    one, other = pair(answer.a, answer.b)
    return f"{short_metric(answer.metric or '')} {one} → {other}"


def short_metric(name: str) -> str:
    """Give the last part of a metric's dotted name."""
    return name.rpartition(".")[2]


def sentence(answer: Answer, reason: str = "") -> str:
    """Say the whole answer.

    Parameters
    ----------
    answer : Answer
        All but its sentence.
    reason : str
        Why it is unexplained.
    """
    if answer.outcome == EQUAL:
        return f"A and B are equal{reason}"
    if answer.outcome == NOISE:
        what = short_metric(answer.metric or "")
        return (
            f"{headline(answer)} is noise: repeated without any change, {what} "
            f"moves by {number(answer.noise)} by itself"
        )
    if answer.outcome == EXPLAINED:
        return f"{headline(answer)} because {_because(answer)}{_others(answer)}"
    told = f"{headline(answer)} is not explained{reason}"
    if answer.culprits:
        told += f"; shown so far: {_because(answer)}"
    if answer.suspects:
        told += f"; not yet told apart: {_listed(answer.suspects)}"
    return told


def _because(answer: Answer) -> str:
    culprits = answer.culprits
    phrases = [describe(culprit) for culprit in culprits[:_MOST_NAMED]]
    if len(culprits) > 1 and not answer.interactions:
        effects = [culprit.effect for culprit in culprits]
        phrases = [
            phrase if effect is None else f"{phrase} ({_signed(effect, answer)})"
            for phrase, effect in zip(phrases, effects, strict=False)
        ]
    if len(culprits) > _MOST_NAMED:
        phrases.append(f"{len(culprits) - _MOST_NAMED} more")
    told = _joined(phrases)
    if answer.interactions and len(culprits) > 1:
        told += ", which act together"
    return told


def _others(answer: Answer) -> str:
    count = answer.unchanged_factors
    if not count:
        return ""
    if count == 1:
        return "; the other difference has no effect"
    return f"; the other {count} differences have no effect"


def describe(culprit: Culprit) -> str:
    """Say what happened to one factor: ``pandas went from 1.5.3 to 2.2.2``."""
    kind, _, subject = culprit.factor.partition(":")
    file, _, part = subject.partition("#")
    if kind in {"code", "data", "model"}:
        return _of_file(kind, file, part, culprit)
    thing = {
        "package": subject,
        "param": subject,
        "env": subject,
        "python": "Python",
        "command": "the command",
        "machine": f"the machine's {'number of threads' if subject == 'threads' else subject}",
    }.get(kind, culprit.factor)
    if culprit.together:
        thing = f"{thing} (together with {_listed(culprit.together)})"
    if culprit.a is None:
        return f"{thing} was set to {culprit.b}" if kind != "package" else f"{thing} came in"
    if culprit.b is None:
        return f"{thing} was left out"
    told = f"{thing} went from {culprit.a} to {culprit.b}"
    if culprit.turn is not None and culprit.turn.first_unlike_a != culprit.b:
        told += f" (it turned with {culprit.turn.first_unlike_a})"
    return told


def _of_file(kind: str, file: str, part: str, culprit: Culprit) -> str:
    if not part:
        if culprit.a is None or culprit.b is None:
            return f"{file} {'came in' if culprit.a is None else 'was left out'}"
        return f"{file} changed"
    if kind == "code":
        return f"line{'s' if '-' in part else ''} {part} of {file} changed"
    if part == "order":
        return f"the order of the rows of {file} changed"
    if (found := _ROWS.match(part)) is not None and found[1] == found[2]:
        part = f"row {found[1]}"
    return f"{part} of {file} changed"


def _signed(effect: float, answer: Answer) -> str:
    if answer.metric == PREDICTIONS:
        return _percent(effect)
    text = number(effect)
    return text if text.startswith("-") else f"+{text}"


def _percent(share: float | None) -> str:
    if share is None:
        return "all"
    return f"{share:.0%}" if share >= 0.01 else f"{share:.2g} in 1"


def listed_changes(taken: Collection[str]) -> str:
    """Say which of B's changes a mixture takes, the first of many by name.

    Examples
    --------
    >>> listed_changes({"env:TZ"}), listed_changes([])
    ('env:TZ', 'nothing of B')
    """
    return _listed(sorted(taken)) or "nothing of B"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMED])
    more = len(names) - len(shown)
    return _joined([*shown, f"{more} more"] if more else shown)


def _joined(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def package_notes(answer: Answer) -> list[str]:
    """Say what guilty packages declare, and where they tell their changes."""
    lines = []
    for culprit in answer.culprits:
        name = culprit.factor.partition(":")[2]
        lines += [f"declared by {name}: {change}" for change in culprit.declared]
        if culprit.changelog is not None:
            lines.append(f"changes of {name} {culprit.changed_in}: {culprit.changelog}")
    return lines


def check_command(factor: str, a: Any) -> str | None:
    """Give the command that runs B with one factor as A had it."""
    kind, _, subject = factor.partition(":")
    if a is None or "#" in subject:
        return None
    change = {"package": f"{subject}=={a}", "param": f"{subject}={a}"}.get(kind)
    return None if change is None else f"samovar reproduce B --with {change}"
