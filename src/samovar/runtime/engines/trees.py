"""Decision trees and forests: all trees at once, level by level, instead of one after the other.

The inputs are cast to float32 as scikit-learn casts them, the thresholds stay float64, and the
trees' answers are summed in the forest's order, so that the bits are scikit-learn's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MODULES: Final = ("sklearn.tree._classes", "sklearn.ensemble._forest")
_CLASSIFIERS: Final = frozenset(
    {"DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier",
     "ExtraTreesClassifier"}
)  # fmt: skip
_REGRESSORS: Final = frozenset(
    {"DecisionTreeRegressor", "ExtraTreeRegressor", "RandomForestRegressor", "ExtraTreesRegressor"}
)
_CHUNK: Final = 1 << 16
"""Pairs of row and tree that are walked together: as many as fit into a processor's cache."""


def trees_engine(model: Any, method: str) -> Callable[[Any], Any] | None:
    """Build the function for a tree's or a forest's method; None where there is none.

    Parameters
    ----------
    model : object
        Fitted, with one output.
    method : str
        ``predict`` or ``predict_proba``.
    """
    kind = type(model)
    is_known = kind.__module__ in _MODULES and getattr(model, "n_outputs_", 0) == 1
    if not is_known:
        return None
    is_forest = kind.__module__ == _MODULES[1]
    trees = [tree.tree_ for tree in model.estimators_] if is_forest else [model.tree_]
    mean = _Mean(trees, is_forest=is_forest, is_classifier=kind.__name__ in _CLASSIFIERS)
    if kind.__name__ in _REGRESSORS:
        return (lambda rows: mean(rows)[:, 0]) if method == "predict" else None
    if kind.__name__ not in _CLASSIFIERS:
        return None
    if method == "predict_proba":
        return mean
    classes = model.classes_
    if method == "predict":
        return lambda rows: classes.take(mean(rows).argmax(axis=1), axis=0)
    return None


class _Mean:
    """The mean of some trees' values.

    Parameters
    ----------
    trees : sequence of sklearn.tree._tree.Tree
        In the forest's order.
    is_forest : bool
        Whether the sum is divided.
    is_classifier : bool
        Whether values are shares of classes; releases before 1.3 keep counts.
    """

    def __init__(self, trees: Sequence[Any], *, is_forest: bool, is_classifier: bool) -> None:
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        self._roots = starts[:-1].astype(np.intp)
        self._depth = max(int(tree.max_depth) for tree in trees)
        self._divisor = len(trees) if is_forest else None
        own = np.arange(starts[-1])
        left = np.concatenate([t.children_left + s for t, s in zip(trees, starts, strict=False)])
        right = np.concatenate([t.children_right + s for t, s in zip(trees, starts, strict=False)])
        feature = np.concatenate([tree.feature for tree in trees])
        is_leaf = feature < 0
        # A leaf is its own child on both sides, so that all walks are equally long.
        self._children: Any = np.empty(2 * len(own), dtype=np.intp)
        self._children[0::2] = np.where(is_leaf, own, left)
        self._children[1::2] = np.where(is_leaf, own, right)
        self._feature = np.where(is_leaf, 0, feature).astype(np.intp)
        self._threshold = np.concatenate([tree.threshold for tree in trees])
        values = np.concatenate([tree.value[:, 0, :] for tree in trees])
        if is_classifier and values.sum(axis=1).max() > 1.5:
            values = values / values.sum(axis=1, keepdims=True)
        self._values = values

    def __call__(self, rows: Any) -> Any:
        """Give the mean value of the leaves that each row reaches, shape (n_rows, n_values)."""
        narrow = np.ascontiguousarray(rows, dtype=np.float32)
        if not np.isfinite(narrow).all():
            raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
        step = max(1, _CHUNK // len(self._roots))
        parts = [self._walk(narrow[i : i + step]) for i in range(0, len(narrow), step)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _walk(self, rows: Any) -> Any:
        count, width = rows.shape
        flat = rows.ravel()
        trees = len(self._roots)
        # Shape (trees, rows), so that the sum below goes through the trees in their order.
        nodes: Any = np.repeat(self._roots, count)
        offsets = np.tile(np.arange(count, dtype=np.intp) * width, trees)
        feature, threshold, children = self._feature, self._threshold, self._children
        for _ in range(self._depth):
            value = flat.take(feature.take(nodes) + offsets)
            is_right = value > threshold.take(nodes)
            nodes = children.take(2 * nodes + is_right)
        values = self._values.take(nodes, axis=0).reshape(trees, count, -1)
        # A running sum: the others of NumPy may add in pairs, which moves the last bits.
        total = values[0] if self._divisor is None else values.cumsum(axis=0)[-1]
        return total if self._divisor is None else total / self._divisor
