"""Compare programs by what they do: comments, layout and unread docstrings are no difference."""

from __future__ import annotations

import ast
import difflib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """A run of lines that differs.

    Parameters
    ----------
    start, stop : int
        A's lines from 0, ``stop`` not included; equal where B inserts.
    lines : tuple of str
        What B has instead, with line ends.
    """

    start: int
    stop: int
    lines: tuple[str, ...]

    @property
    def shown(self) -> str:
        """A's lines from 1, ``12`` or ``12-15``; an insertion is named by the line before it."""
        first, last = self.start + 1, self.stop
        if last < first:
            return str(max(self.start, 1))
        return str(first) if first == last else f"{first}-{last}"


def is_same_program(path: str, one: bytes, other: bytes) -> bool:
    """Say whether two files do the same, whatever their comments and layout.

    Docstrings count only where the program reads ``__doc__`` (docopt does) or runs doctests.
    Notebooks are compared by the code in their cells, whatever was printed below these. Files that
    are neither, or do not parse, are the same where their bytes are.
    """
    if one == other:
        return True
    if path.endswith(".ipynb"):
        cells = _cells(one)
        return cells is not None and cells == _cells(other)
    if not path.endswith(".py"):
        return False
    left, right = _meaning(one), _meaning(other)
    return left is not None and left == right


def compiles(path: str, data: bytes) -> bool:
    """Say whether a file could be run as it is; what is no program always could."""
    if path.endswith(".ipynb"):
        return _cells(data) is not None
    return not path.endswith(".py") or _parse(data) is not None


def _cells(data: bytes) -> list[str] | None:
    """Give what a notebook's code cells do, in order; None where it is no notebook."""
    try:
        cells = json.loads(data)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        texts = [one if isinstance(one, str) else "".join(one) for one in sources]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    # What only IPython understands does not parse, and is compared as it is written.
    return [_meaning(text.encode("utf-8", "replace")) or text for text in texts if text.strip()]


def _parse(data: bytes) -> ast.Module | None:
    try:
        tree = ast.parse(data)
        compile(tree, "mixture", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree


def _meaning(data: bytes) -> str | None:
    tree = _parse(data)
    if tree is None:
        return None
    if b"__doc__" not in data and b"doctest" not in data and b"docopt" not in data:
        for node in ast.walk(tree):
            _drop_docstring(node)
    return ast.dump(tree)


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:] or [ast.Pass()]


def hunks_between(path: str, one: bytes, other: bytes) -> tuple[list[str], list[Hunk]] | None:
    """Cut the difference of two text files into hunks.

    Returns
    -------
    lines : list of str
        Of A, with their ends.
    hunks : list of Hunk
        In order; those that alone change nothing that A does are left out.
    None
        Where a file is not UTF-8 text.
    """
    try:
        lines = one.decode("utf-8").splitlines(keepends=True)
        others = other.decode("utf-8").splitlines(keepends=True)
    except UnicodeDecodeError:
        return None
    matcher = difflib.SequenceMatcher(None, lines, others, autojunk=False)
    hunks = [
        Hunk(start=start, stop=stop, lines=tuple(others[low:high]))
        for tag, start, stop, low, high in matcher.get_opcodes()
        if tag != "equal"
    ]
    return lines, [hunk for hunk in hunks if _matters(path, lines, hunk, one)]


def _matters(path: str, lines: list[str], hunk: Hunk, before: bytes) -> bool:
    return not is_same_program(path, before, apply_hunks(lines, [hunk]))


def apply_hunks(lines: list[str], hunks: list[Hunk]) -> bytes:
    r"""Give A's file with some of B's hunks.

    Examples
    --------
    >>> apply_hunks(["a\n", "b\n"], [Hunk(start=1, stop=2, lines=("c\n", "d\n"))])
    b'a\nc\nd\n'
    """
    parts: list[str] = []
    at = 0
    for hunk in sorted(hunks, key=lambda one: (one.start, one.stop)):
        parts += lines[at : hunk.start]
        parts += hunk.lines
        at = hunk.stop
    return "".join([*parts, *lines[at:]]).encode()
