"""What can be read off a fitted estimator: its columns, its parts, how exactly it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXACT_MODULES: Final = (
    "sklearn.tree", "sklearn.neighbors", "sklearn.ensemble._forest", "sklearn.ensemble._gb",
    "sklearn.ensemble._hist_gradient_boosting", "sklearn.ensemble._iforest",
    "xgboost", "lightgbm", "catboost", "treelite",
)  # fmt: skip
_LINEAR_POLICY: Final = 1e-12
_MAX_DEPTH: Final = 12
_NULL_FRIENDLY: Final = ("Imputer", "HistGradientBoosting", "XGB", "LGBM", "CatBoost", "Booster")
_BY_NAME: Final = ("ColumnTransformer", "FunctionTransformer", "ColumnSelector")


def feature_names(model: Any) -> list[str] | None:
    """Give the names of the columns that the model was fitted with, where it kept them."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def feature_count(model: Any) -> int | None:
    """Give the number of columns that the model was fitted with, where it kept it."""
    count = getattr(model, "n_features_in_", None)
    # CatBoost says 0 of a model that it read from a file.
    return int(count) if count else None


def parts(model: Any, depth: int = 0) -> Iterator[Any]:
    """Walk a model and the estimators inside it."""
    if model is None or isinstance(model, (str, int)) or depth > _MAX_DEPTH:
        return
    yield model
    for _, step in getattr(model, "steps", None) or ():
        yield from parts(step, depth + 1)
    # (name, transformer, columns), and (name, transformer) in a union
    fitted = getattr(model, "transformers_", None) or getattr(model, "transformer_list", None)
    for item in fitted or ():
        yield from parts(item[1], depth + 1)
    for attribute in ("best_estimator_", "estimator_", "regressor_", "transformer_"):
        inner = getattr(model, attribute, None)
        if inner is not None and hasattr(inner, "get_params"):
            yield from parts(inner, depth + 1)


def final_estimator(model: Any) -> Any:
    """Give the estimator that answers at the end of pipelines and searches."""
    for _ in range(_MAX_DEPTH):
        steps = getattr(model, "steps", None)
        inner = steps[-1][1] if steps else getattr(model, "best_estimator_", None)
        if inner is None or isinstance(inner, str):
            return model
        model = inner
    return model


def policy_of(model: Any) -> float:
    """Give the largest relative difference that is still the same answer.

    Trees and neighbours choose among recorded values, so they are exact; sums of products move in
    their last bits with the order of the sums.
    """
    module = type(final_estimator(model)).__module__
    return 0.0 if module.startswith(_EXACT_MODULES) else _LINEAR_POLICY


def may_take_null(model: Any) -> bool:
    """Whether any part of the model is made for missing values."""
    return any(word in type(part).__name__ for part in parts(model) for word in _NULL_FRIENDLY)


def is_positional(model: Any) -> bool:
    """Whether the model is scikit-learn's throughout and never looks at a column's name."""
    return all(
        type(part).__module__.startswith("sklearn.")
        and not any(word in type(part).__name__ for word in _BY_NAME)
        for part in parts(model)
    )


def category_kinds(model: Any, names: list[str]) -> dict[str, str]:
    """Give NumPy's kind of the categories that encoders inside learned for a column.

    Returns
    -------
    dict of str to str
        Name of the column to ``i``, ``b``, ``O``, ...; only for columns that reach an encoder
        unchanged but for imputation.
    """
    kinds: dict[str, str] = {}
    for part in parts(model):
        for item in getattr(part, "transformers_", None) or ():
            columns = _resolve(item[2], names)
            kinds.update(_encoder_kinds(item[1], columns))
    kinds.update(_encoder_kinds(model, names))
    return kinds


def _encoder_kinds(transformer: Any, columns: list[str]) -> dict[str, str]:
    steps = getattr(transformer, "steps", None)
    for step in [item[1] for item in steps] if steps else [transformer]:
        if "Imputer" in type(step).__name__:
            continue
        categories = getattr(step, "categories_", None)
        if categories is not None and len(categories) == len(columns):
            return {
                name: str(known.dtype.kind)
                for name, known in zip(columns, categories, strict=True)
                if hasattr(known, "dtype")
            }
        return {}
    return {}


def _resolve(columns: Any, names: list[str]) -> list[str]:
    if isinstance(columns, (str, int)):
        columns = [columns]
    if not isinstance(columns, (list, tuple)) and not hasattr(columns, "tolist"):
        return []
    listed = columns.tolist() if hasattr(columns, "tolist") else list(columns)
    if listed and all(isinstance(column, bool) for column in listed):
        return [name for name, chosen in zip(names, listed, strict=False) if chosen]
    return [
        names[column] if isinstance(column, int) and column < len(names) else str(column)
        for column in listed
    ]
