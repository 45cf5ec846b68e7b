"""Find, without running anything, what makes a training script give another result each time.

Only the syntax tree is read; what is found is a likely reason, and is called so.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Callables whose result is random unless they are given a seed, by the keyword that takes it.
_SEEDED: Final[dict[str, str]] = dict.fromkeys(
    """
    train_test_split KFold StratifiedKFold ShuffleSplit StratifiedShuffleSplit GroupShuffleSplit
    RepeatedKFold RepeatedStratifiedKFold shuffle resample RandomForestClassifier
    RandomForestRegressor ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier
    GradientBoostingRegressor HistGradientBoostingClassifier HistGradientBoostingRegressor
    BaggingClassifier BaggingRegressor AdaBoostClassifier AdaBoostRegressor IsolationForest
    DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor
    MLPClassifier MLPRegressor SGDClassifier SGDRegressor Perceptron PassiveAggressiveClassifier
    PassiveAggressiveRegressor KMeans MiniBatchKMeans BisectingKMeans GaussianMixture
    BayesianGaussianMixture TSNE TruncatedSVD NMF MiniBatchNMF FastICA DictionaryLearning
    LatentDirichletAllocation RandomizedSearchCV HalvingRandomSearchCV RANSACRegressor
    TheilSenRegressor Nystroem RBFSampler QuantileTransformer GaussianRandomProjection
    SparseRandomProjection permutation_importance make_classification make_regression make_blobs
    make_moons make_circles XGBClassifier XGBRegressor LGBMClassifier LGBMRegressor
    """.split(),
    "random_state",
)
_SEEDED["CatBoostClassifier"] = _SEEDED["CatBoostRegressor"] = "random_seed"
_SHUFFLES_ONLY_WHEN_ASKED: Final = {"KFold", "StratifiedKFold"}
_GENERATORS: Final = {"default_rng", "RandomState", "Random", "Generator", "SeedSequence"}
_UNORDERED: Final = {"listdir", "scandir", "glob", "iglob", "rglob", "iterdir"}
_CLOCKS: Final = {"time.time", "datetime.now", "datetime.datetime.now", "datetime.utcnow",
                  "date.today", "datetime.date.today", "time.time_ns"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A place in the code that is a likely reason for another result each time.

    Parameters
    ----------
    file : str
        Path in the project.
    line : int
        From 1.
    what : str
        What was found there.
    """

    file: str
    line: int
    what: str

    def to_json(self) -> dict[str, str | int]:
        """Give the object that ``train`` prints."""
        return {"file": self.file, "line": self.line, "what": self.what}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def find_suspects(files: Mapping[str, str], *, hash_seed: str | None) -> list[Suspect]:
    """Read Python files for what is not seeded, not ordered, or taken from the clock.

    Parameters
    ----------
    files : mapping of str to str
        Source by path; what is not Python, or does not parse, is passed over.
    hash_seed : str, optional
        ``PYTHONHASHSEED`` of the run; with a number, the order of sets of strings is fixed.

    Returns
    -------
    list of Suspect
        By file and line.
    """
    found: list[Suspect] = []
    trees: dict[str, ast.Module] = {}
    for path, source in files.items():
        if path.endswith(".py"):
            try:
                trees[path] = ast.parse(source)
            except (SyntaxError, ValueError):
                continue
    seeded = {name for tree in trees.values() for name in _global_seeds(tree)}
    for path, tree in trees.items():
        for line, what in _suspects(tree, seeded, hash_seed):
            found.append(Suspect(file=path, line=line, what=what))
    return sorted(found, key=lambda one: (one.file, one.line, one.what))


def _suspects(
    tree: ast.Module, seeded: set[str], hash_seed: str | None
) -> Iterator[tuple[int, str]]:
    ordered = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _name(node.func).rpartition(".")[2] == "sorted"
        for argument in node.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            what = _of_call(node, seeded)
            if what is not None:
                yield node.lineno, what
            last = _name(node.func).rpartition(".")[2]
            if last in _UNORDERED and id(node) not in ordered:
                yield node.lineno, f"{last}() gives files in no certain order; sort them"
        elif (
            isinstance(node, (ast.For, ast.comprehension))
            and hash_seed in {None, "random"}
            and _is_set(node.iter)
        ):
            yield node.iter.lineno, "iterates over a set, whose order changes with PYTHONHASHSEED"


def _of_call(node: ast.Call, seeded: set[str]) -> str | None:
    name = _name(node.func)
    last = name.rpartition(".")[2]
    if name in _CLOCKS:
        return f"{name}() depends on the clock"
    if last in _GENERATORS and not node.args and not node.keywords:
        return f"{name}() without a seed"
    if name.startswith("random.") and last not in {"seed", "Random"} and "random" not in seeded:
        return f"{name}() without random.seed()"
    if name.startswith(("np.random.", "numpy.random.")) and last not in {*_GENERATORS, "seed"}:
        return None if "numpy" in seeded else f"{name}() without numpy.random.seed()"
    keyword = _SEEDED.get(last)
    if keyword is None or any(argument.arg is None for argument in node.keywords):
        return None
    given = {argument.arg: argument.value for argument in node.keywords}
    if last in _SHUFFLES_ONLY_WHEN_ASKED and "shuffle" not in given:
        return None
    value = given.get(keyword, given.get("seed"))
    unset = value is None or (isinstance(value, ast.Constant) and value.value is None)
    # scikit-learn's estimators fall back on NumPy's global generator.
    if not unset or ("numpy" in seeded and keyword == "random_state"):
        return None
    return f"{last}() without {keyword}"


def _global_seeds(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = _name(node.func)
            if name == "random.seed":
                yield "random"
            elif name in {"np.random.seed", "numpy.random.seed"}:
                yield "numpy"


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, (ast.Set, ast.SetComp)):
        return True
    return isinstance(node, ast.Call) and _name(node.func) in {"set", "frozenset"}


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _name(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return ""
