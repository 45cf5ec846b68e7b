"""Train the models that tests/e2e/test_export.py converts: python export_models.py FOLDER TITANIC."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def titanic(table):
    """Passengers as the table has them: ages and a sex are missing."""
    survived = (table.pop("survived") == "yes").astype(int)
    table = table[["age", "sex", "passenger_class"]].astype({"sex": object})
    table.loc[5, "sex"] = np.nan
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["age"]),
            (
                make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
                ["sex", "passenger_class"],
            ),
        ),
        LogisticRegression(),
    ).fit(table, survived)
    return model, json.loads(table.head(40).to_json(orient="records"))


def forest():
    """Rows that sit on the forest's own split thresholds."""
    rows = np.random.default_rng(0).integers(0, 100, (300, 4)) / 10.0
    model = RandomForestClassifier(12, random_state=0)
    model.fit(rows, (rows[:, 0] * 1.3 + rows[:, 1] > 8.7).astype(int))
    on_thresholds = []
    for tree in (one.tree_ for one in model.estimators_):
        for column, threshold in zip(tree.feature, tree.threshold):
            if column >= 0:
                row = rows[column].tolist()
                row[column] = float(threshold)
                on_thresholds.append(row)
    return model, on_thresholds[:60]


def boosted():
    """Labels of text, and rows with nothing in one column."""
    rows = np.random.default_rng(1).normal(size=(300, 3))
    labels = np.where(rows[:, 0] > rows[:, 1], "over", "under")
    rows[::9, 2] = np.nan
    model = HistGradientBoostingClassifier(max_iter=8).fit(rows, labels)
    return model, [[None if np.isnan(v) else v for v in row] for row in rows[:20].tolist()]


def texts():
    said = ["a good day", "a bad day", "very good", "very bad", "good", "bad"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(said, [1, 0, 1, 0, 1, 0])
    return model, ["good", "a very bad day", "neither"]


def main(folder, table):
    made = {
        "titanic": titanic(pd.read_csv(table)),
        "forest": forest(),
        "boosted": boosted(),
        "texts": texts(),
    }
    for name, (model, rows) in made.items():
        project = Path(folder) / name
        project.mkdir()
        (project / "model.pkl").write_bytes(pickle.dumps(model))
        (project / "examples.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
