"""A model that a function of the project makes: whatever it returns is asked by its method.

The function takes nothing and returns an object with the bundle's method (``predict(rows)``), which
gets what the signature says: an array, a DataFrame, or a list of texts. Optional attributes are
scikit-learn's: ``classes_``, ``feature_names_in_``, ``n_features_in_``. Files that it reads lie
beside its module, as in the project.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samovar.errors import InvalidModel

if TYPE_CHECKING:
    from collections.abc import Sequence


def make_model(factory: str, path: Path, _trusted: Sequence[str]) -> Any:
    """Import the module and call the function.

    Parameters
    ----------
    factory : str
        ``module:name``.
    path : Path
        Where the project has the module; its folder is on ``sys.path``.

    Raises
    ------
    InvalidModel
        Where the name leads to another module than the project's, or to nothing that can be called.
    """
    module_name, _, name = factory.partition(":")
    module = importlib.import_module(module_name)
    origin = getattr(module, "__file__", None)
    if origin is None or not Path(origin).samefile(path):
        raise InvalidModel(
            f"{module_name} is {origin or 'built in'}, and not the project's {path.name}.",
            hint="The environment has a module of that name: rename the project's.",
            code="shadowed_module",
        )
    make = getattr(module, name, None)
    if not callable(make):
        raise InvalidModel(
            f"{path.name} has nothing named {name} that can be called.",
            hint='Write [model] factory = "module:function", or a class that takes no arguments.',
            code="no_factory",
        )
    return make()
