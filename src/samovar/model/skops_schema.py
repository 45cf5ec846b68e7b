"""Read a skops file: a zip whose ``schema.json`` is a tree of nodes, each with a loader.

The nodes below say everything that skops does while loading; a loader that is not among them is
refused, and with it the ones that look up attributes (methods, operators).

References
----------
``skops/io/_general.py``, ``_numpy.py``, ``_scipy.py``, ``_sklearn.py``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from samovar.core.allowlist import BUILD, CALL, ITEMS, NEW, REFERENCE, Global
from samovar.model.source import broken

if TYPE_CHECKING:
    from samovar.core.allowlist import Policy
    from samovar.model.findings import Log
    from samovar.model.zip_members import Archive

SCHEMA: Final = "schema.json"
_SCHEMA_BYTES: Final = 256 << 20
_NESTING: Final = 200
_USES: Final[dict[str, tuple[str, ...]]] = {
    "BytesNode": (),
    "BytearrayNode": (),
    "DictNode": (),
    "ListNode": (),
    "SetNode": (),
    "TupleNode": (),
    "JsonNode": (),
    "SliceNode": (),
    "CachedNode": (),
    "DTypeNode": (),
    "SparseMatrixNode": (),
    "DefaultDictNode": (CALL,),
    "NdArrayNode": (REFERENCE,),
    "MaskedArrayNode": (),
    "RandomStateNode": (),
    "RandomGeneratorNode": (),
    "TypeNode": (REFERENCE,),
    "FunctionNode": (REFERENCE,),
    "ObjectNode": (NEW, BUILD),
    "TreeNode": (CALL, BUILD),
    "LossNode": (CALL,),
    "PartialNode": (CALL,),
    "ConstructorFromReduceNode": (CALL,),
}
_OWN_CLASSES: Final[dict[str, frozenset[str]]] = {
    "DictNode": frozenset({"builtins.dict", "collections.OrderedDict"}),
    "ListNode": frozenset({"builtins.list"}),
    "SetNode": frozenset({"builtins.set", "builtins.frozenset"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "BytesNode": frozenset({"builtins.bytes"}),
    "BytearrayNode": frozenset({"builtins.bytearray"}),
    "MaskedArrayNode": frozenset({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"}),
    "RandomStateNode": frozenset({"numpy.random.RandomState", "numpy.random.mtrand.RandomState"}),
    "RandomGeneratorNode": frozenset(
        {"numpy.random.Generator", "numpy.random._generator.Generator"}
    ),
}
# A class of its own in place of the built-in one: skops calls it, then fills it.
_OTHER_CLASSES: Final = {"DictNode": ITEMS, "TupleNode": NEW}
_PARTIAL: Final = ("sklearn.utils.validation", "check_array")
_WITHOUT_CHILDREN: Final = frozenset(
    {"JsonNode", "SliceNode", "TypeNode", "FunctionNode", "CachedNode", "BytesNode"}
    | {"BytearrayNode", "SparseMatrixNode"}
)
_IN_MEMBERS: Final = frozenset({"NdArrayNode", "SparseMatrixNode", "BytesNode", "BytearrayNode"})
_BIT_GENERATORS: Final = frozenset({"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"})


def read_skops(archive: Archive, policy: Policy, log: Log) -> None:
    """Judge every node of the schema.

    Raises
    ------
    InvalidModel
        With the code ``broken_stream`` where the schema is none.
    """
    member = next(member for member in archive.members if member.filename == SCHEMA)
    if member.file_size > _SCHEMA_BYTES:
        raise broken("The file's schema.json is larger than any model's.")
    with archive.open(member) as stream:
        try:
            schema = json.loads(stream.read(_SCHEMA_BYTES))
        except (ValueError, RecursionError) as error:
            raise broken("The file's schema.json is no JSON document.") from error
    _Reader(policy, log, frozenset(archive.names)).node(schema, 0)
    if isinstance(schema, dict) and "__class__" in schema:
        log.root = f"{schema.get('__module__')}.{schema['__class__']}"


class _Reader:
    def __init__(self, policy: Policy, log: Log, members: frozenset[str]) -> None:
        self._policy = policy
        self._log = log
        self._members = members

    def node(self, node: Any, nesting: int) -> None:
        """Judge a node and those below it."""
        if nesting > _NESTING:
            raise broken("The file's schema.json nests deeper than a model does.")
        if not isinstance(node, dict) or not isinstance(node.get("__loader__"), str):
            raise broken("The file's schema.json has a node without a loader.")
        loader = node["__loader__"]
        self._judge(loader, node)
        for child in self._children(loader, node):
            self.node(child, nesting + 1)

    def _judge(self, loader: str, node: dict[str, Any]) -> None:
        name = Global.of_stream(str(node.get("__module__")), str(node.get("__class__")))
        self._log.seen(str(name))
        if loader not in _USES:
            self._log.add(str(name), 0, f"{loader} is not among the loaders that are allowed")
            return
        uses = _USES[loader]
        if loader in _OWN_CLASSES and str(name) not in _OWN_CLASSES[loader]:
            if loader not in _OTHER_CLASSES:
                self._log.add(str(name), 0, f"{loader} makes an instance of {name}")
            uses = (_OTHER_CLASSES.get(loader, CALL),)
        for use in uses:
            if (why := self._policy.why_not(name, use)) is not None:
                self._log.add(str(name), 0, f"{name} {why}")
        if loader == "PartialNode" and _function(node) != _PARTIAL:
            self._log.add(str(name), 0, "calls a function later that it may not call")
        in_member = loader in _IN_MEMBERS and node.get("type") != "json"
        if in_member and node.get("file") not in self._members:
            raise broken("The file's schema.json names a member that is not there.")
        if loader == "FunctionNode" and "content" in node:
            self._log.add(str(name), 0, "a function under another name than its node says")
        if loader == "RandomGeneratorNode" and _bit_generator(node) not in _BIT_GENERATORS:
            self._log.add(str(name), 0, "makes a bit generator that is none")

    def _children(self, loader: str, node: dict[str, Any]) -> list[Any]:
        content = node.get("content")
        children: list[Any] = []
        if loader == "DictNode" and isinstance(content, dict):
            self._check_keys(node, content)
            children = [*content.values(), node.get("key_types")]
        elif loader in {"ListNode", "SetNode", "TupleNode", "NdArrayNode"}:
            children = list(content) if isinstance(content, list) else []
            children += [node["shape"]] if "shape" in node else []
        elif loader in {"DefaultDictNode", "MaskedArrayNode", "RandomGeneratorNode", "PartialNode"}:
            children = list(content.values()) if isinstance(content, dict) else []
        elif loader in _WITHOUT_CHILDREN or loader not in _USES:
            children = []
        elif content is not None:
            children = [content]
        reduced = node.get("__reduce__")
        if isinstance(reduced, dict):
            children.append(reduced.get("args"))
        return children

    def _check_keys(self, node: dict[str, Any], content: dict[str, Any]) -> None:
        for key in content:
            if key.startswith("__") and key.endswith("__"):
                name = f"{node.get('__module__')}.{node.get('__class__')}"
                self._log.add(name, 0, f"the special attribute {key} is set")
        version = content.get("_sklearn_version")
        if isinstance(version, dict) and isinstance(version.get("content"), str):
            self._log.versions.setdefault("scikit-learn", version["content"].strip('"'))


def _function(node: dict[str, Any]) -> tuple[Any, Any] | None:
    content = node.get("content")
    function = content.get("func") if isinstance(content, dict) else None
    if not isinstance(function, dict) or function.get("__loader__") != "FunctionNode":
        return None
    return function.get("__module__"), function.get("__class__")


def _bit_generator(node: dict[str, Any]) -> str | None:
    try:
        name = json.loads(node["content"]["bit_generator"]["content"]["bit_generator"]["content"])
    except (KeyError, TypeError, ValueError):
        return None
    return name if isinstance(name, str) else None
