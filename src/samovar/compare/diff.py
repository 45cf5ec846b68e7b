"""Say how two runs or bundles differ, from records alone: nothing is executed.

Data is summed up where both files are at hand and small enough to be read in a moment; larger
files are compared by the digests of their pieces.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.cuts import cut_code
from samovar.compare.factors import factors_between
from samovar.compare.table_cut import cut_table

if TYPE_CHECKING:
    from samovar.compare.factors import Factor, Read
    from samovar.compare.facts import Facts
    from samovar.core.run import RunFile

_MOST_BYTES: Final = 4 << 20
"""Both sides together; reading so much takes half a second."""
_MOST_HUNKS: Final = 50


def difference(a: Facts, b: Facts, read_a: Read, read_b: Read) -> tuple[Factor, ...]:
    """Give every factor that differs, with what is known of how files differ.

    Parameters
    ----------
    a, b : Facts
        Of two runs or bundles.
    read_a, read_b : callable
        Give a side's file; None where it is not kept.
    """
    left = _MOST_BYTES
    told = []
    for factor in factors_between(a, b, read_a, read_b):
        files = _files(factor, a, b)
        if files is None:
            told.append(factor)
            continue
        size = files[0].size_bytes + files[1].size_bytes
        if size > left:
            told.append(replace(factor, detail=_by_pieces(*files)))
            continue
        left -= size if factor.kind == "data" else 0
        told.append(replace(factor, detail=_by_content(factor, read_a(files[0]), read_b(files[1]))))
    return tuple(told)


def _files(factor: Factor, a: Facts, b: Facts) -> tuple[RunFile, RunFile] | None:
    if factor.kind not in {"code", "data"}:
        return None
    one, other = (
        (side.code if factor.kind == "code" else side.data).get(factor.subject) for side in (a, b)
    )
    return None if one is None or other is None else (one, other)


def _by_content(factor: Factor, one: bytes | None, other: bytes | None) -> dict[str, Any]:
    if one is None or other is None:
        return {}
    if factor.kind == "data":
        table = cut_table(factor.subject, one, other)
        return {} if table is None else table.summary()
    code = cut_code(factor.subject, one, other)
    if code is None:
        return {}
    hunks = [
        {"lines": name, "a": code.values(name)[0], "b": code.values(name)[1]}
        for name in code.names[:_MOST_HUNKS]
    ]
    return {"hunks": hunks}


def _by_pieces(one: RunFile, other: RunFile) -> dict[str, Any]:
    detail: dict[str, Any] = {"size_bytes": {"a": one.size_bytes, "b": other.size_bytes}}
    if one.chunks and other.chunks:
        shared = set(one.chunks) & set(other.chunks)
        detail["pieces"] = {
            "a": len(one.chunks),
            "b": len(other.chunks),
            "shared": len(shared),
        }
    return detail


def tell(factor: Factor) -> str:
    """Say in one line how a factor differs, for people."""
    detail = factor.detail
    if "rows" in detail:
        return _tell_table(detail)
    if "hunks" in detail:
        return "lines " + ", ".join(hunk["lines"] for hunk in detail["hunks"])
    if "size_bytes" in detail:
        sizes = f"{detail['size_bytes']['a']} → {detail['size_bytes']['b']} bytes"
        pieces = detail.get("pieces")
        return f"{sizes}, {pieces['shared']} of {pieces['a']} pieces the same" if pieces else sizes
    if factor.kind in {"code", "data", "model"}:
        return "added" if factor.a is None else "removed" if factor.b is None else "other content"
    return f"{_value(factor.a)} → {_value(factor.b)}"


def _value(value: Any) -> str:
    return "(none)" if value is None else str(value)


def _tell_table(detail: Any) -> str:
    told = []
    rows = detail["rows"]
    if rows["a"] != rows["b"]:
        told.append(f"{rows['a']} → {rows['b']} rows")
    if detail["reordered"]:
        told.append("rows in another order")
    for key, words in (
        ("columns_added", "added"),
        ("columns_removed", "removed"),
        ("columns_changed", "changed"),
    ):
        if detail[key]:
            told.append(f"column {', '.join(detail[key])} {words}")
    told += [f"{one['column']} is {one['b']}, was {one['a']}" for one in detail["dtypes"]]
    if detail["rows_changed"]:
        told.append(f"{detail['rows_changed']} rows with other values")
    return "; ".join(told) or "other bytes, the same values"
