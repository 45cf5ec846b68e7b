"""Fit every estimator of the scikit-learn at hand, and usual models, and save them all.

    python honest_models.py FOLDER

Runs in a model's environment, which has nothing of samovar. Each model is pickled (protocols 2 and
4, some with 0 and 5) and joblib-dumped (raw, some compressed). ``made.json`` lists what was made,
and what could not be and why.
"""

from __future__ import annotations

import json
import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn import __version__
from sklearn.utils import all_estimators

RANDOM = np.random.RandomState(0)
ROWS = np.abs(RANDOM.normal(2.0, 1.0, (48, 4)))
LABELS = np.repeat([0, 1, 2], 16)
NUMBERS = ROWS @ np.array([1.0, 2.0, 0.5, 1.5]) + 0.1
TEXTS = [f"good tea number {i % 7} {'hot' if i % 2 else 'cold'}" for i in range(48)]
RECORDS = [{"a": i % 3, "b": str(i % 2)} for i in range(48)]


def construct(cls):
    """Make an unfitted estimator, with the parts that its constructor wants."""
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: F401  its module is needed
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    classifies = getattr(cls, "_estimator_type", None) != "regressor" and not cls.__name__.endswith(
        ("Regressor", "RegressorChain")
    )
    inner = LogisticRegression() if classifies else Ridge()
    name = cls.__name__
    special = {
        "ColumnTransformer": lambda: cls([("a", StandardScaler(), [0, 1]), ("b", "drop", [2])]),
        "FeatureUnion": lambda: cls([("a", StandardScaler()), ("b", MinMaxScaler())]),
        "Pipeline": lambda: cls([("a", StandardScaler()), ("b", inner)]),
        "StackingClassifier": lambda: cls(
            [("a", LogisticRegression()), ("b", LogisticRegression(C=2))]
        ),
        "StackingRegressor": lambda: cls([("a", Ridge()), ("b", Ridge(2.0))]),
        "VotingClassifier": lambda: cls(
            [("a", LogisticRegression()), ("b", LogisticRegression(C=2))]
        ),
        "VotingRegressor": lambda: cls([("a", Ridge()), ("b", Ridge(2.0))]),
        "GridSearchCV": lambda: cls(inner, {"C": [0.1, 1.0]}, cv=2),
        "RandomizedSearchCV": lambda: cls(inner, {"C": [0.1, 1.0]}, n_iter=2, cv=2),
        "HalvingGridSearchCV": lambda: cls(inner, {"C": [0.1, 1.0]}, cv=2),
        "HalvingRandomSearchCV": lambda: cls(inner, {"C": [0.1, 1.0]}, cv=2),
        "SparseCoder": lambda: cls(np.eye(4)),
        "OutputCodeClassifier": lambda: cls(inner, random_state=0),
        "FrozenEstimator": lambda: cls(inner.fit(ROWS, LABELS)),
        "RFECV": lambda: cls(inner, cv=2),
        "SelfTrainingClassifier": lambda: cls(LogisticRegression()),
        "MultiTaskElasticNetCV": lambda: cls(cv=2),
        "HDBSCAN": lambda: cls(min_cluster_size=5),
        "ClassifierChain": lambda: cls(LogisticRegression()),
        "RegressorChain": lambda: cls(Ridge()),
        "GaussianRandomProjection": lambda: cls(n_components=2),
        "SparseRandomProjection": lambda: cls(n_components=2),
        "SelectKBest": lambda: cls(k=2),
        "QuantileRegressor": lambda: cls(solver="highs"),
        "NMF": lambda: cls(n_components=2, max_iter=500),
        "MiniBatchNMF": lambda: cls(n_components=2),
    }
    if name in special:
        return special[name]()
    try:
        return cls()
    except TypeError:
        return cls(inner)


def fit(model):
    """Fit on whichever of the data sets the estimator takes."""
    two = np.column_stack([NUMBERS, NUMBERS * 2])
    labels2 = np.column_stack([LABELS > 0, LABELS > 1]).astype(int)
    attempts = [
        (ROWS, LABELS), (ROWS, NUMBERS), (ROWS, two), (ROWS, labels2), (TEXTS,), (RECORDS,),
        (ROWS[:, 0], NUMBERS), (LABELS,), ([["a", "b"], ["b"]],), (ROWS,),
        (ROWS, LABELS > 0), (ROWS @ ROWS.T,),
    ]  # fmt: skip
    if "Regressor" in type(model).__name__ or getattr(model, "_estimator_type", "") == "regressor":
        attempts = [attempts[1], attempts[2], attempts[6], *attempts]
    failures = []
    for attempt in attempts:
        try:
            return model.fit(*attempt)
        except Exception as error:  # noqa: BLE001  any failure means: not this data set
            failures.append(f"{type(error).__name__}: {error}"[:120])
    raise ValueError(failures[0])


def usual_models():
    """Give the pipelines and parts that projects are made of, fitted."""
    from sklearn import (
        compose,
        ensemble,
        feature_selection,
        gaussian_process,
        linear_model,
        metrics,
        model_selection,
        neighbors,
        pipeline,
        preprocessing,
        svm,
    )
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
    from sklearn.gaussian_process import kernels
    from sklearn.impute import SimpleImputer

    yield (
        "tfidf",
        pipeline.make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2)), linear_model.LogisticRegression()
        ).fit(TEXTS, LABELS),
    )
    yield (
        "hashing",
        pipeline.make_pipeline(HashingVectorizer(n_features=64), linear_model.SGDClassifier()).fit(
            TEXTS, LABELS
        ),
    )
    for name in ("log1p", "sqrt", "exp", "absolute", "square", "sin", "cos"):
        yield (
            f"ufunc_{name}",
            pipeline.make_pipeline(
                preprocessing.FunctionTransformer(getattr(np, name), validate=True),
                linear_model.Ridge(),
            ).fit(ROWS, NUMBERS),
        )
    yield (
        "target_log",
        compose.TransformedTargetRegressor(
            linear_model.LinearRegression(), func=np.log1p, inverse_func=np.expm1
        ).fit(ROWS, NUMBERS),
    )
    yield (
        "target_scaled",
        compose.TransformedTargetRegressor(
            linear_model.Ridge(), transformer=preprocessing.QuantileTransformer(n_quantiles=10)
        ).fit(ROWS, NUMBERS),
    )
    for loss in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"):
        yield f"sgd_{loss}", linear_model.SGDClassifier(loss=loss).fit(ROWS, LABELS)
    for loss in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
        yield f"sgd_{loss}", linear_model.SGDRegressor(loss=loss).fit(ROWS, NUMBERS)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson"):
        yield (
            f"hist_{loss}",
            ensemble.HistGradientBoostingRegressor(loss=loss, max_iter=4).fit(ROWS, NUMBERS),
        )
    yield (
        "hist_quantile",
        ensemble.HistGradientBoostingRegressor(loss="quantile", quantile=0.5, max_iter=4).fit(
            ROWS, NUMBERS
        ),
    )
    yield (
        "hist_binary",
        ensemble.HistGradientBoostingClassifier(
            max_iter=4, categorical_features=[0], early_stopping=True
        ).fit(np.column_stack([LABELS, ROWS]), LABELS > 0),
    )
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        yield (
            f"gb_{loss}",
            ensemble.GradientBoostingRegressor(loss=loss, n_estimators=3).fit(ROWS, NUMBERS),
        )
    for loss in ("log_loss", "exponential"):
        yield (
            f"gb_{loss}",
            ensemble.GradientBoostingClassifier(loss=loss, n_estimators=3).fit(ROWS, LABELS > 0),
        )
    yield (
        "gb_init",
        ensemble.GradientBoostingClassifier(
            init=linear_model.LogisticRegression(), n_estimators=3
        ).fit(ROWS, LABELS),
    )
    for kernel in (
        kernels.RBF() + kernels.WhiteKernel(), kernels.Matern() * kernels.ConstantKernel(),
        kernels.RationalQuadratic(), kernels.ExpSineSquared(), kernels.DotProduct() ** 2,
        kernels.PairwiseKernel(metric="rbf"), kernels.CompoundKernel([kernels.RBF()]),
    ):  # fmt: skip
        if not isinstance(kernel, kernels.CompoundKernel):
            yield (
                f"gp_{type(kernel).__name__}",
                gaussian_process.GaussianProcessRegressor(
                    kernel, alpha=1.0, random_state=np.random.RandomState(1)
                ).fit(ROWS[:12], NUMBERS[:12]),
            )
    yield "gp_multiclass", gaussian_process.GaussianProcessClassifier().fit(ROWS, LABELS)
    for metric in (
        "euclidean", "manhattan", "chebyshev", "minkowski", "hamming", "canberra", "braycurtis",
    ):  # fmt: skip
        for algorithm in ("ball_tree", "kd_tree"):
            if algorithm == "kd_tree" and metric in {"hamming", "canberra", "braycurtis"}:
                continue
            yield (
                f"knn_{algorithm}_{metric}",
                neighbors.KNeighborsClassifier(algorithm=algorithm, metric=metric).fit(
                    ROWS, LABELS
                ),
            )
    yield (
        "knn_float32",
        neighbors.KNeighborsRegressor(algorithm="ball_tree").fit(ROWS.astype(np.float32), NUMBERS),
    )
    yield "knn_haversine", neighbors.BallTree(ROWS[:, :2] / 10, metric="haversine")
    yield "knn_seuclidean", neighbors.BallTree(ROWS, metric="seuclidean", V=np.ones(4))
    yield "knn_mahalanobis", neighbors.BallTree(ROWS, metric="mahalanobis", V=np.eye(4))
    yield "kde", neighbors.KernelDensity().fit(ROWS)
    for score in (
        feature_selection.f_classif, feature_selection.chi2, feature_selection.mutual_info_classif,
    ):  # fmt: skip
        yield (
            f"best_{score.__name__}",
            pipeline.make_pipeline(
                feature_selection.SelectKBest(score, k=2), svm.SVC(probability=False)
            ).fit(ROWS, LABELS),
        )
    for score in (
        feature_selection.f_regression,
        feature_selection.mutual_info_regression,
        feature_selection.r_regression,
    ):
        yield f"best_{score.__name__}", feature_selection.SelectPercentile(score).fit(ROWS, NUMBERS)
    yield (
        "from_model",
        pipeline.make_pipeline(
            feature_selection.SelectFromModel(ensemble.ExtraTreesClassifier(3)),
            linear_model.RidgeClassifier(),
        ).fit(ROWS, LABELS),
    )
    for scoring in ("accuracy", "f1_macro", "roc_auc_ovr", "neg_log_loss"):
        yield (
            f"grid_{scoring}",
            model_selection.GridSearchCV(
                linear_model.LogisticRegression(), {"C": [0.1, 1.0]}, scoring=scoring, cv=2
            ).fit(ROWS, LABELS),
        )
    for name in (
        "accuracy_score", "f1_score", "fbeta_score", "precision_score", "recall_score",
        "balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score", "jaccard_score",
    ):  # fmt: skip
        options = (
            {"beta": 2, "average": "macro"}
            if name == "fbeta_score"
            else (
                {"average": "macro"}
                if name in {"f1_score", "precision_score", "recall_score", "jaccard_score"}
                else {}
            )
        )
        yield (
            f"grid_scorer_{name}",
            model_selection.GridSearchCV(
                linear_model.LogisticRegression(),
                {"C": [0.1, 1.0]},
                cv=2,
                scoring=metrics.make_scorer(getattr(metrics, name), **options),
            ).fit(ROWS, LABELS),
        )
    for name in (
        "mean_squared_error", "mean_absolute_error", "r2_score", "mean_squared_log_error",
        "median_absolute_error", "max_error", "explained_variance_score",
        "mean_absolute_percentage_error", "mean_pinball_loss", "mean_tweedie_deviance",
        "mean_poisson_deviance", "mean_gamma_deviance", "d2_tweedie_score", "d2_pinball_score",
        "d2_absolute_error_score",
    ):  # fmt: skip
        yield (
            f"grid_scorer_{name}",
            model_selection.GridSearchCV(
                linear_model.Ridge(),
                {"alpha": [0.1, 1.0]},
                cv=2,
                scoring=metrics.make_scorer(getattr(metrics, name), greater_is_better=False),
            ).fit(ROWS, NUMBERS),
        )
    for splitter in (
        model_selection.KFold(2), model_selection.StratifiedKFold(2),
        model_selection.ShuffleSplit(2), model_selection.StratifiedShuffleSplit(2),
        model_selection.RepeatedKFold(n_splits=2, n_repeats=1),
        model_selection.RepeatedStratifiedKFold(n_splits=2, n_repeats=1),
        model_selection.TimeSeriesSplit(2), model_selection.LeaveOneOut(),
        model_selection.PredefinedSplit(LABELS % 2),
    ):  # fmt: skip
        yield (
            f"grid_cv_{type(splitter).__name__}",
            model_selection.GridSearchCV(
                neighbors.KNeighborsRegressor(2), {"p": [1, 2]}, cv=splitter
            ).fit(ROWS, LABELS * 1.0),
        )
    try:
        from scipy.stats import expon, loguniform, norm, randint, uniform

        yield (
            "random_search",
            model_selection.RandomizedSearchCV(
                svm.SVC(),
                {
                    "C": loguniform(0.1, 10),
                    "gamma": expon(scale=0.1),
                    "degree": randint(1, 4),
                    "tol": uniform(1e-4, 1e-3),
                    "coef0": norm(0, 1),
                },
                n_iter=3,
                cv=2,
                random_state=0,
            ).fit(ROWS, LABELS),
        )
    except ImportError:
        pass
    yield (
        "isotonic_calibrated",
        __import__("sklearn.calibration")
        .calibration.CalibratedClassifierCV(svm.LinearSVC(), method="isotonic", cv=2)
        .fit(ROWS, LABELS),
    )
    yield (
        "union",
        pipeline.make_pipeline(
            pipeline.make_union(
                preprocessing.StandardScaler(), preprocessing.PolynomialFeatures(2)
            ),
            KMeans(2, n_init=1, random_state=np.random.RandomState(0)),
        ).fit(ROWS),
    )
    yield "set_output", preprocessing.StandardScaler().set_output(transform="default").fit(ROWS)
    yield "generator", ensemble.RandomForestRegressor(2, random_state=1).fit(ROWS, NUMBERS)
    yield (
        "random_generator",
        {
            "rng": np.random.default_rng(0),
            "legacy": np.random.RandomState(3),
            "philox": np.random.Generator(np.random.Philox(1)),
            "sfc": np.random.Generator(np.random.SFC64(1)),
            "dxsm": np.random.Generator(np.random.PCG64DXSM(1)),
        },
    )
    yield (
        "classes_of_text",
        linear_model.LogisticRegression().fit(
            ROWS, np.array(["a", "b", "c"], dtype=object)[LABELS]
        ),
    )
    yield "classes_of_bool", ensemble.RandomForestClassifier(2).fit(ROWS, LABELS > 0)
    yield "sparse_svc", svm.SVC().fit(__import__("scipy.sparse").sparse.csr_matrix(ROWS), LABELS)
    yield "label_binarizer", preprocessing.LabelBinarizer(sparse_output=True).fit(LABELS)
    yield from frame_models(compose, ensemble, linear_model, pipeline, preprocessing, SimpleImputer)
    yield "parts", plain_parts()


def frame_models(compose, ensemble, linear_model, pipeline, preprocessing, imputer):
    """Give models over data frames."""
    try:
        import pandas as pd
    except ImportError:
        return
    frame = pd.DataFrame(ROWS, columns=list("abcd"))
    frame["city"] = pd.Series(["Perm", "Riga", "Omsk"] * 16)
    frame["plan"] = pd.Series(["x", "y"] * 24, dtype="category")
    frame["active"] = LABELS > 0
    numbers = pipeline.make_pipeline(imputer(), preprocessing.StandardScaler())
    for sparse in (True, False):
        yield f"frame_{'sparse' if sparse else 'dense'}", pipeline.make_pipeline(
            compose.make_column_transformer(
                (numbers, ["a", "b"]),
                (preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=sparse), ["city", "plan"]),
                ("passthrough", ["active"]), remainder="drop",
            ),
            linear_model.LogisticRegression(),
        ).fit(frame, LABELS)  # fmt: skip
    yield "frame_index", compose.ColumnTransformer(
        [("n", preprocessing.RobustScaler(), frame.columns[:3]),
         ("c", preprocessing.OrdinalEncoder(), pd.Index(["city"]))]
    ).fit(frame)  # fmt: skip
    yield "frame_selector", pipeline.make_pipeline(
        compose.make_column_transformer(
            (preprocessing.StandardScaler(), compose.make_column_selector(dtype_include=np.number)),
            (preprocessing.OrdinalEncoder(), compose.make_column_selector(dtype_include=[object, "category"])),
            remainder="drop",
        ),
        ensemble.RandomForestClassifier(2),
    ).fit(frame.drop(columns="city"), LABELS)  # fmt: skip
    yield "frame_remainder", compose.make_column_transformer(
        (preprocessing.TargetEncoder(cv=2) if hasattr(preprocessing, "TargetEncoder")
         else preprocessing.OrdinalEncoder(), ["city"]), remainder=preprocessing.StandardScaler(),
    ).fit(frame[["a", "city"]], LABELS > 0)  # fmt: skip
    yield (
        "frame_pandas_output",
        pipeline.make_pipeline(
            preprocessing.StandardScaler().set_output(transform="pandas"), linear_model.Ridge()
        ).fit(frame[list("abcd")], NUMBERS),
    )
    frame["when"] = pd.date_range("2024-01-01", periods=48)
    frame["many"] = pd.array([1, None] * 24, dtype="Int64")
    frame["text"] = pd.array(["a", None] * 24, dtype="string")
    yield "frames", {
        "frame": frame, "series": frame["a"], "index": frame.index, "category": frame["plan"],
        "dates": pd.DatetimeIndex(frame["when"]), "stamp": pd.Timestamp("2024-01-01"),
        "delta": pd.Timedelta("1D"), "multi": pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]),
        "interval": pd.cut(frame["a"], 3), "na": pd.NA, "nat": pd.NaT,
        "float_index": pd.Index([1.5, 2.5]), "text_index": pd.Index(["a", "b"]),
        "string_index": pd.Index(["a", "b"], dtype="object"),
        "categories": pd.CategoricalDtype(["a", "b"]), "sorted": frame.set_index("city"),
    }  # fmt: skip


def plain_parts():
    """Give the values of standard types that models carry along."""
    import collections
    import datetime
    import decimal
    import fractions
    import uuid

    import scipy.interpolate
    import scipy.sparse

    matrix = scipy.sparse.random(8, 8, 0.3, random_state=0)
    return {
        "ordered": collections.OrderedDict(a=1), "counter": collections.Counter("aab"),
        "default": collections.defaultdict(int, a=1), "deque": collections.deque([1, 2], 5),
        "lists": collections.defaultdict(list, a=[1]), "set": {1, 2}, "frozen": frozenset("ab"),
        "complex": 1j, "range": range(3), "slice": slice(1, 2), "bytes": b"ab", "array": bytearray(b"ab"),
        "long": 2**80, "dates": [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 3),  # noqa: DTZ001  as data
                                 datetime.timedelta(1), datetime.timezone.utc, datetime.time(3)],
        "decimal": decimal.Decimal("1.5"), "fraction": fractions.Fraction(1, 3), "uuid": uuid.uuid4(),
        "masked": np.ma.array([1.0, 2.0], mask=[True, False]), "matrix": np.asmatrix(np.eye(2)),
        "record": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        "objects": np.array([None, "a", 1.5], dtype=object), "texts": np.array(["a", "bc"]),
        "dates64": np.array(["2024-01-01"], dtype="datetime64[D]"), "zero": np.array(3.0),
        "scalars": [np.float32(1), np.int64(2), np.bool_(True), np.str_("a"), np.bytes_(b"a"),
                    np.datetime64("2024-01-01"), np.float16(1), np.complex128(1j), np.uint8(3)],
        "types": [np.float64, np.float32, np.int64, int, float, str, bool, np.number, object],
        "dtypes": [np.dtype(k) for k in ("f4", "i8", "O", "U3", "S2", "M8[ns]", "?", ">f8", "V4")],
        "fortran": np.asfortranarray(np.ones((2, 3))), "swapped": np.ones(2, ">f8"),
        "empty": np.empty((0, 3)), "strided": np.arange(20).reshape(4, 5)[::2, ::2],
        **{kind: matrix.asformat(kind) for kind in ("csr", "csc", "coo", "dok", "lil", "dia", "bsr")},
        "sparse_array": scipy.sparse.csr_array(matrix), "csc_array": scipy.sparse.csc_array(matrix),
        "coo_array": scipy.sparse.coo_array(matrix),
        "spline": scipy.interpolate.BSpline(np.arange(8.0), np.ones(4), 3),
        "interpolated": scipy.interpolate.interp1d([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]),
        "cubic": scipy.interpolate.CubicSpline([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]),
        "pchip": scipy.interpolate.PchipInterpolator([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]),
        "ppoly": scipy.interpolate.PPoly(np.ones((2, 2)), np.array([0.0, 1.0, 2.0])),
    }  # fmt: skip


def boosted_models():
    """Give models of the boosting libraries that are installed."""
    for library in ("xgboost", "lightgbm", "catboost"):
        try:
            module = __import__(library)
        except ImportError:
            continue
        if library == "xgboost":
            for name in (
                "XGBClassifier",
                "XGBRegressor",
                "XGBRFClassifier",
                "XGBRFRegressor",
                "XGBRanker",
            ):
                model = getattr(module, name)(n_estimators=2)
                extra = {"group": [16, 16, 16]} if name == "XGBRanker" else {}
                yield (
                    name,
                    model.fit(ROWS, NUMBERS if name.endswith("Regressor") else LABELS, **extra),
                )
            yield "xgb_booster", module.train({}, module.DMatrix(ROWS, NUMBERS), 2)
        elif library == "lightgbm":
            for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker"):
                model = getattr(module, name)(n_estimators=2, min_child_samples=2, verbose=-1)
                extra = {"group": [16, 16, 16]} if name == "LGBMRanker" else {}
                yield (
                    name,
                    model.fit(ROWS, NUMBERS if name.endswith("Regressor") else LABELS, **extra),
                )
            yield "lgb_booster", model.booster_
        else:
            for name in ("CatBoostClassifier", "CatBoostRegressor", "CatBoost", "CatBoostRanker"):
                model = (
                    getattr(module, name)(
                        {"iterations": 2, "verbose": 0, "allow_writing_files": False}
                    )
                    if name == "CatBoost"
                    else getattr(module, name)(iterations=2, verbose=0, allow_writing_files=False)
                )
                extra = {"group_id": LABELS} if name == "CatBoostRanker" else {}
                yield (
                    name,
                    model.fit(ROWS, LABELS if name.endswith("Classifier") else NUMBERS, **extra),
                )


def every_model(skipped):
    """Give all models with their names; note those that cannot be made."""
    import sklearn.experimental.enable_halving_search_cv
    import sklearn.experimental.enable_iterative_imputer  # noqa: F401  makes them appear

    for name, cls in all_estimators():
        try:
            yield name, fit(construct(cls))
        except Exception as error:  # noqa: BLE001  the reason is recorded
            skipped[name] = f"{type(error).__name__}: {error}"[:300]
    yield from usual_models()
    yield from boosted_models()


def save(name, model, folder):
    """Write a model in the ways that people do."""
    for protocol in (2, 4):
        (folder / f"{name}.{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
    joblib.dump(model, folder / f"{name}.joblib")
    turn = sum(name.encode()) % 4
    for protocol in (0, 1, 3, 5)[turn : turn + 1]:
        (folder / f"{name}.{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
    compression = ("zlib", "gzip", "bz2", "xz", "lzma")[sum(name.encode()) % 5]
    joblib.dump(model, folder / f"{name}.{compression}.joblib", compress=(compression, 3))


def main() -> None:
    """Save every model below the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    skipped, unsaved, made = {}, {}, []
    for name, model in every_model(skipped):
        try:
            save(name, model, folder)
            made.append(name)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            unsaved[name] = f"{type(error).__name__}: {error}"[:300]
    (folder / "made.json").write_text(
        json.dumps(
            {"scikit-learn": __version__, "made": made, "skipped": skipped, "unsaved": unsaved}
        )
    )


if __name__ == "__main__":
    main()
