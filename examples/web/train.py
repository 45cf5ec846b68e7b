"""Train the model that server.py serves: who survived the Titanic.

Reads data/titanic.csv and, where set, parameters from the variable PARAMS (JSON); writes
models/model.pkl, the metrics out.json, and the predictions on the evaluation set preds.npy.
The same inputs give the same model.pkl, byte for byte, on any machine.
"""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, precision_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
COLUMNS = ["pclass", "male", "adult", "age"]
ADULT_FROM = 18
DECIMALS = 9


def read_passengers(path: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Give class, sex, adulthood and age of each passenger, and whether they survived."""
    table = pd.read_csv(path)
    is_boy = table["name"].str.contains("Master.", regex=False)
    is_child = (table["age"] < ADULT_FROM) | (table["age"].isna() & is_boy)
    features = pd.DataFrame(
        {
            "pclass": table["passenger_class"].str[0].astype("int64"),
            "male": (table["sex"] == "male").astype("int64"),
            "adult": (~is_child).astype("int64"),
            "age": table["age"].astype("float64"),
        }
    )
    return features[COLUMNS], (table["survived"] == "yes").astype("int64")


def make_model(regularisation: float):
    """Fill in missing ages, scale them, tell the classes apart, and regress."""
    age = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [("class", OneHotEncoder(), ["pclass"]), ("age", age, ["age"])], remainder="passthrough"
    )
    return make_pipeline(columns, LogisticRegression(C=regularisation, max_iter=1000))


def without_noise(model):
    """Round the weights: bits beyond depend on the processor's way to add, and mean nothing."""
    classifier = model[-1]
    classifier.coef_ = classifier.coef_.round(DECIMALS)
    classifier.intercept_ = classifier.intercept_.round(DECIMALS)
    scaler = model[0].named_transformers_["age"][-1]
    scaler.mean_, scaler.var_ = scaler.mean_.round(DECIMALS), scaler.var_.round(DECIMALS)
    scaler.scale_ = scaler.scale_.round(DECIMALS)
    return model


def main() -> None:
    """Train, evaluate, write."""
    parameters = {"C": 1.0, "seed": 7, **json.loads(os.environ.get("PARAMS", "{}"))}
    features, survived = read_passengers(HERE / "data" / "titanic.csv")
    train, test, train_survived, test_survived = train_test_split(
        features, survived, test_size=0.25, random_state=parameters["seed"], stratify=survived
    )
    model = without_noise(make_model(parameters["C"]).fit(train, train_survived))
    predicted = model.predict(test)
    metrics = {
        "accuracy": accuracy_score(test_survived, predicted),
        "precision": precision_score(test_survived, predicted),
    }
    (HERE / "models").mkdir(exist_ok=True)
    (HERE / "models" / "model.pkl").write_bytes(pickle.dumps(model, protocol=4))
    (HERE / "out.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    np.save(HERE / "preds.npy", model.predict_proba(test)[:, 1])
    print(json.dumps(metrics))


if __name__ == "__main__":
    main()
