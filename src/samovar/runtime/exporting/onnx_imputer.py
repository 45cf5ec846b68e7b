"""Imputation in plain ONNX operators.

skl2onnx writes the operator ``Imputer``, which onnxruntime has in single precision alone, and it
does not take NaN as what is missing among texts. ``IsNaN`` and ``Where`` do both exactly.
"""

from __future__ import annotations

import copy
from typing import Any


def converters() -> dict[type, Any]:
    """Give the conversion functions that replace skl2onnx's own."""
    from sklearn.impute import SimpleImputer

    return {SimpleImputer: convert_imputer}


def convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """Convert a fitted ``SimpleImputer``; the arguments are skl2onnx's."""
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
    from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer

    imputer = operator.raw_operator
    if getattr(imputer, "indicator_", None) is not None:
        raise TypeError("SimpleImputer with add_indicator has no form in ONNX here")
    kind = operator.inputs[0].type
    is_nan = (
        isinstance(imputer.missing_values, float)
        and imputer.missing_values != imputer.missing_values
    )
    if is_nan and isinstance(kind, StringTensorType):
        # A tensor of strings has no NaN: an empty string stands for it (runtime/onnx_model.py).
        operator.raw_operator = copy.copy(imputer)
        operator.raw_operator.missing_values = ""
    elif is_nan and isinstance(kind, DoubleTensorType):
        _in_double(scope, operator, container)
        return
    convert_sklearn_imputer(scope, operator, container)


def _in_double(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto
    from skl2onnx.operator_converters.common import concatenate_variables

    statistics = operator.raw_operator.statistics_
    fill, missing = scope.get_unique_variable_name("fill"), scope.get_unique_variable_name("nan")
    rows = concatenate_variables(scope, operator.inputs, container)
    container.add_initializer(
        fill, TensorProto.DOUBLE, [1, len(statistics)], [float(value) for value in statistics]
    )
    container.add_node("IsNaN", [rows], [missing], op_version=13)
    container.add_node(
        "Where", [missing, fill, rows], [operator.outputs[0].full_name], op_version=16
    )
