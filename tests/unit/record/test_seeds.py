import pytest

from samovar.record.seeds import find_suspects


def lines(source: str, *, hash_seed: str | None = "0") -> list[int]:
    return [suspect.line for suspect in find_suspects({"train.py": source}, hash_seed=hash_seed)]


@pytest.mark.parametrize(
    "source",
    [
        "RandomForestClassifier(30)",
        "ensemble.RandomForestClassifier(30, random_state=None)",
        "train_test_split(X, y)",
        "np.random.default_rng()",
        "np.random.rand(3)",
        "random.shuffle(x)",
        "KFold(5, shuffle=True)",
        "CatBoostClassifier()",
        "time.time()",
        "for f in os.listdir('.'): pass",
        "Path('.').glob('*')",
    ],
)
def test_likely_reasons_are_found(source):
    assert lines(source) == [1]


@pytest.mark.parametrize(
    "source",
    [
        "RandomForestClassifier(30, random_state=0)",
        "train_test_split(X, y, random_state=seed)",
        "np.random.default_rng(7)",
        "np.random.seed(0)\nnp.random.rand(3)\nRandomForestClassifier()",
        "random.seed(0)\nrandom.random()",
        "KFold(5)",
        "RandomForestClassifier(**options)",
        "sorted(os.listdir('.'))",
        "LogisticRegression()",
        "for x in {1, 2}: pass",
    ],
)
def test_seeded_and_sorted_code_is_left_alone(source):
    assert lines(source) == []


def test_sets_are_suspected_only_where_the_hash_seed_is_free():
    source = "x = [a for a in {'a', 'b'}]\nfor b in set(x):\n    pass\n"
    assert lines(source, hash_seed=None) == [1, 2]
    assert lines(source, hash_seed="0") == []


def test_broken_and_foreign_files_are_passed_over():
    assert find_suspects({"a.py": "def", "b.txt": "np.random.rand()"}, hash_seed=None) == []


def test_a_suspect_names_its_place():
    (suspect,) = find_suspects({"train.py": "\nKMeans(3)\n"}, hash_seed=None)
    assert str(suspect) == "train.py:2: KMeans() without random_state"
    assert suspect.to_json() == {
        "file": "train.py",
        "line": 2,
        "what": "KMeans() without random_state",
    }
