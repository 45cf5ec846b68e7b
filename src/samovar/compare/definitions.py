"""Find in a library's source how the names that a project uses are defined; nothing is imported.

Whole modules of large libraries take seconds to parse. So definitions are found by their first
line, and only their own lines are parsed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_CLASS: Final = re.compile(r"^([ \t]*)class[ \t]+(\w+)", re.MULTILINE)
_DOCUMENTED: Final = re.compile(
    r"^\s*(\w+)\s*:\s*[^\n]*?\bdefault(?:s to)?[\s=:]+([^\n,]+?)\s*$", re.MULTILINE
)
_DIRECTIVE: Final = re.compile(
    r"^([ \t]*)\.\.\s+(versionchanged|deprecated)::[ \t]*([\w.]+)"
    r"(.*(?:\n(?:\1[ \t]+\S.*|[ \t]*))*)",
    re.MULTILINE,
)
_WARNINGS: Final = frozenset({"FutureWarning", "DeprecationWarning", "PendingDeprecationWarning"})
_INIT: Final = ("__init__", "__new__")
_MOST_BYTES: Final = 200_000
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
    for match in pattern.finditer(text):
        indent, kind, name = len(match[1]), match[2], match[3]
        owner = ""
        if indent:
            around = [one for one in classes if one[0] < match.start() and one[1] < indent]
            owner = around[-1][2] if around else ""
            if not owner:
                continue  # Within a function or a condition.
        node = _parsed(_block(text, match.start(), indent))
        if node is not None and (kind == "class") == isinstance(node, ast.ClassDef):
            yield (owner, name), _describe(node)


def _block(text: str, start: int, indent: int) -> str:
    """Give the lines of a definition: up to the next one that is not further in."""
    end = re.compile(rf"^[ \t]{{0,{indent}}}[^\s)\]}}#]", re.MULTILINE)
    first = text.find("\n", start)
    if first < 0:
        return text[start:]
    after = end.search(text, first + 1)
    stop = len(text) if after is None else after.start()
    return text[start : min(stop, start + _MOST_BYTES)]


def _parsed(block: str) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None:
    try:
        body = ast.parse(textwrap.dedent(block)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    node = body[0] if body else None
    is_one = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    return node if is_one else None  # type: ignore[return-value]  # narrowed by is_one


def _describe(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Definition:
    function: ast.AST | None = node
    if isinstance(node, ast.ClassDef):
        function = next((one for one in node.body if getattr(one, "name", "") in _INIT), None)
    texts = [ast.get_docstring(node) or ""]
    if function is not node and isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        texts.append(ast.get_docstring(function) or "")
    document = "\n".join(texts)
    return Definition(
        defaults=_defaults(function),
        documented={
            found[1]: found[2].strip(" `'\"*().") for found in _DOCUMENTED.finditer(document)
        },
        directives=tuple(
            (found[2], found[3], " ".join(found[4].split())[:200])
            for found in _DIRECTIVE.finditer(document)
        ),
        warnings=tuple(_warnings(node)),
    )


def _defaults(function: ast.AST | None) -> dict[str, str]:
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return {}
    arguments = function.args
    placed = [*arguments.posonlyargs, *arguments.args]
    values: list[ast.expr | None] = [None] * (len(placed) - len(arguments.defaults))
    pairs = [
        *zip(placed, [*values, *arguments.defaults], strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {argument.arg: "" if value is None else ast.unparse(value) for argument, value in pairs}


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
            yield " ".join("".join(pieces).split())[:200]
