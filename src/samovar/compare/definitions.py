"""Find in a library's source how the names that a project uses are defined; nothing is imported.

Whole modules of large libraries take seconds to parse. So definitions are found by their first
line, and only their own lines are parsed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_CLASS: Final = re.compile(r"^([ \t]*)class[ \t]+(\w+)", re.MULTILINE)
_DOCUMENTED: Final = re.compile(r"[ \t]*(\w+)[ \t]*:.*?\bdefault(?:s to)?[ \t=:]+([^,]+)$")
_DIRECTIVE: Final = re.compile(
    r"^([ \t]*)\.\.\s+(versionchanged|deprecated)::[ \t]*([\w.]+)"
    r"(.*(?:\n(?:\1[ \t]+\S.*|[ \t]*))*)",
    re.MULTILINE,
)
_WARNINGS: Final = frozenset({"FutureWarning", "DeprecationWarning", "PendingDeprecationWarning"})
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_INIT: Final = ("__init__", "__new__")
_MOST_CHARACTERS: Final = 200_000
_MOST_MATCHES: Final = 200
_LONGEST_LINE: Final = 300
_LONGEST_TEXT: Final = 200
_MOST_PLACES: Final = 12
"""A method that more classes than this have says nothing of the one that is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """How a function, method or class is defined.

    Parameters
    ----------
    defaults : mapping of str to str
        Each parameter's default as source; empty where it has none.
    documented : mapping of str to str
        Defaults that the docstring tells.
    directives : tuple of tuple of str
        ``versionchanged`` or ``deprecated``, the version, and the text.
    warnings : tuple of str
        Texts of warnings of changes to come.
    """

    defaults: Mapping[str, str] = field(default_factory=dict)
    documented: Mapping[str, str] = field(default_factory=dict)
    directives: tuple[tuple[str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {
            "defaults": dict(self.defaults),
            "documented": dict(self.documented),
            "directives": [list(one) for one in self.directives],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, document: Any) -> Definition:
        """Read the stored form."""
        return cls(
            defaults=document["defaults"],
            documented=document["documented"],
            directives=tuple((kind, since, text) for kind, since, text in document["directives"]),
            warnings=tuple(document["warnings"]),
        )


Place = tuple[str, str]
"""The class around a definition, empty at the top of a module, and its name."""


def find_definitions(
    sources: Iterable[bytes], direct: frozenset[str], methods: frozenset[str]
) -> dict[Place, Definition]:
    """Find definitions of names in source files.

    Parameters
    ----------
    sources : iterable of bytes
        A library's modules.
    direct : frozenset of str
        Names of functions and classes.
    methods : frozenset of str
        Names of methods; those that are everywhere are left out.
    """
    wanted = direct | methods
    if not wanted:
        return {}
    pattern = _pattern(wanted)
    quick = re.compile(pattern.pattern.encode(), re.MULTILINE)
    found: dict[Place, Definition] = {}
    for data in sources:
        if quick.search(data) is None:
            continue
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        for place, definition in _definitions(text, pattern):
            owner, name = place
            if name in direct if not owner else name in methods or owner in direct:
                found.setdefault(place, definition)
    return {place: one for place, one in found.items() if not _is_everywhere(place, found, direct)}


def _is_everywhere(place: Place, found: Mapping[Place, Definition], direct: frozenset[str]) -> bool:
    owner, name = place
    if not owner or owner in direct:
        return False
    return sum(other == name for _, other in found) > _MOST_PLACES


def _pattern(names: frozenset[str]) -> re.Pattern[str]:
    listed = "|".join(sorted(map(re.escape, names)))
    return re.compile(rf"^([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+({listed})\b", re.MULTILINE)


def _definitions(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[Place, Definition]]:
    classes = [(match.start(), len(match[1]), match[2]) for match in _CLASS.finditer(text)]
    starts = [start for start, _, _ in classes]
    for match in islice(pattern.finditer(text), _MOST_MATCHES):
        indent, kind, name = len(match[1]), match[2], match[3]
        owner = ""
        if indent:
            before = (classes[at] for at in range(bisect_left(starts, match.start()) - 1, -1, -1))
            owner = next((named for _, further, named in before if further < indent), "")
            if not owner:
                continue  # Within a function or a condition.
        definition = _read(_block(text, match.start(), indent), is_class=kind == "class")
        if definition is not None:
            yield (owner, name), definition


def _block(text: str, start: int, indent: int) -> str:
    """Give the lines of a definition: up to the next one that is not further in."""
    end = re.compile(rf"^[ \t]{{0,{indent}}}[^\s)\]}}#]", re.MULTILINE)
    first = text.find("\n", start)
    if first < 0:
        return text[start:]
    after = end.search(text, first + 1)
    stop = len(text) if after is None else after.start()
    return text[start : min(stop, start + _MOST_CHARACTERS)]


def _read(block: str, *, is_class: bool) -> Definition | None:
    """Parse a definition's lines; None where they are none, or too deep to be read."""
    try:
        (node, *_) = ast.parse(textwrap.dedent(block)).body
        if isinstance(node, ast.ClassDef) if is_class else isinstance(node, _FUNCTIONS):
            return _describe(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return None


def _describe(node: ast.stmt) -> Definition:
    function: ast.AST | None = node
    if isinstance(node, ast.ClassDef):
        function = next((one for one in node.body if getattr(one, "name", "") in _INIT), None)
    document = "\n".join(
        line
        for one in dict.fromkeys((node, function))
        if isinstance(one, (ast.ClassDef, *_FUNCTIONS))
        for line in (ast.get_docstring(one) or "").splitlines()
        if len(line) <= _LONGEST_LINE
    )
    told = (_DOCUMENTED.match(line) for line in document.splitlines())
    return Definition(
        defaults=_defaults(function),
        documented={
            found[1]: _plain(found[2]).strip(" `'\"*().") for found in told if found is not None
        },
        directives=tuple(
            (found[2], found[3], _plain(found[4])) for found in _DIRECTIVE.finditer(document)
        ),
        warnings=tuple(_warnings(node)),
    )


def _defaults(function: ast.AST | None) -> dict[str, str]:
    if not isinstance(function, _FUNCTIONS):
        return {}
    arguments = function.args
    placed = [*arguments.posonlyargs, *arguments.args]
    values: list[ast.expr | None] = [None] * (len(placed) - len(arguments.defaults))
    pairs = [
        *zip(placed, [*values, *arguments.defaults], strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {
        argument.arg: "" if value is None else _plain(ast.unparse(value))
        for argument, value in pairs
    }


def _warnings(node: ast.AST) -> Iterator[str]:
    """Give the texts of calls that name a class of warnings of changes to come."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        given = [*call.args, *(word.value for word in call.keywords)]
        if any(getattr(one, "id", None) in _WARNINGS for one in given):
            pieces = [
                part.value
                for one in given
                for part in ast.walk(one)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            yield _plain("".join(pieces))


def _plain(text: str) -> str:
    """Give a text on one line, without what a terminal would obey."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:_LONGEST_TEXT]
