"""Match paths against ``.gitignore`` as git does, where there is no repository to ask.

References
----------
gitignore(5), "PATTERN FORMAT".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a ``.gitignore``.

    Parameters
    ----------
    base : str
        The folder that the file is in, with a final ``/``; empty at the top.
    pattern : re.Pattern
        For the path below the base.
    only_folders, keeps : bool
        The line ends with ``/``; it begins with ``!``.
    """

    base: str
    pattern: re.Pattern[str]
    only_folders: bool
    keeps: bool


def parse_rules(text: str, base: str = "") -> list[Rule]:
    r"""Read the lines of a ``.gitignore`` that stands in a folder.

    Examples
    --------
    >>> is_ignored("a/x.pyc", parse_rules("*.pyc"))
    True
    >>> is_ignored("keep.pyc", parse_rules("*.pyc\n!keep.pyc"))
    False
    """
    rules = []
    for line in text.split("\n"):
        line = _stripped(line.removesuffix("\r"))
        keeps = line.startswith("!")
        line = line[1:] if keeps else line
        if not line or (line.startswith("#") and not keeps):
            continue
        only_folders = line.endswith("/")
        line = line.rstrip("/") if only_folders else line
        pattern = _compiled(line)
        if pattern is not None:
            rules.append(Rule(base=base, pattern=pattern, only_folders=only_folders, keeps=keeps))
    return rules


def is_ignored(path: str, rules: Iterable[Rule], *, is_folder: bool = False) -> bool:
    """Say whether the last rule that matches a path ignores it; its parents are not looked at."""
    ignored = False
    for rule in rules:
        if rule.only_folders and not is_folder:
            continue
        if path.startswith(rule.base) and rule.pattern.fullmatch(path[len(rule.base) :]):
            ignored = not rule.keeps
    return ignored


def _stripped(line: str) -> str:
    """Take trailing spaces off, but a quoted one."""
    stripped = line.rstrip(" ")
    if stripped.endswith("\\") and len(stripped) < len(line):
        return stripped + " "
    return stripped


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    # Without a slash in it, a pattern matches at any depth.
    anchored = "/" in pattern
    pattern = pattern.removeprefix("/")
    text = "" if anchored else "(?:.*/)?"
    place = 0
    while place < len(pattern):
        if pattern.startswith("**/", place) and (place == 0 or pattern[place - 1] == "/"):
            text, place = text + "(?:.*/)?", place + 3
        elif pattern.startswith("/**", place) and place + 3 == len(pattern):
            text, place = text + "/.+", place + 3
        else:
            piece, place = _piece(pattern, place)
            text += piece
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        return None  # git takes a malformed class for one that matches nothing


def _piece(pattern: str, place: int) -> tuple[str, int]:
    """Translate one character, wildcard or class; give it and the place after it."""
    character = pattern[place]
    if character == "*":
        while pattern.startswith("*", place):
            place += 1
        return "[^/]*", place
    if character == "?":
        return "[^/]", place + 1
    if character == "\\" and place + 1 < len(pattern):
        return re.escape(pattern[place + 1]), place + 2
    if character == "[":
        end = pattern.find("]", place + 2)
        if end > 0:
            inside = pattern[place + 1 : end]
            negated = inside[:1] in {"!", "^"}
            inside = (inside[1:] if negated else inside).replace("[", "\\[")
            return f"(?!/)[{'^' if negated else ''}{inside}]", end + 1
    return re.escape(character), place + 1
