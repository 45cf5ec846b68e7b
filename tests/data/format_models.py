"""Save a model in each format, with its library's own answers: python format_models.py FOLDER."""

import json
import pickle
import sys
from pathlib import Path

import catboost
import cloudpickle
import joblib
import lightgbm
import numpy as np
import skops.io
import xgboost
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

ROWS = np.random.default_rng(0).normal(size=(200, 4)).round(3)
LABELS = (ROWS[:, 0] + ROWS[:, 1] > 0.2).astype(int)
ASKED = ROWS[:12]


def main(folder):
    forest = RandomForestClassifier(8, random_state=0).fit(ROWS, LABELS)
    boosted = xgboost.XGBClassifier(n_estimators=6, max_depth=3).fit(ROWS, LABELS)
    light = lightgbm.LGBMRegressor(n_estimators=6, verbose=-1).fit(ROWS, ROWS[:, 2])
    cat = catboost.CatBoostClassifier(iterations=6, verbose=False, allow_writing_files=False)
    cat.fit(ROWS, np.where(LABELS, "yes", "no"))
    labels = forest.predict(ASKED)
    save(folder, "pickle", "pkl", labels, lambda path: path.write_bytes(pickle.dumps(forest)))
    save(folder, "joblib", "joblib", labels, lambda path: joblib.dump(forest, path, compress=3))
    save(
        folder, "cloudpickle", "pkl", labels, lambda p: p.write_bytes(cloudpickle.dumps(forest))
    )
    save(folder, "skops", "skops", labels, lambda path: skops.io.dump(forest, path))
    graph = to_onnx(forest, ROWS[:1].astype(np.float32), options={"zipmap": False})
    save(
        folder, "onnx", "onnx", labels, lambda path: path.write_bytes(graph.SerializeToString())
    )
    for name, ending in (("xgboost-ubj", "ubj"), ("xgboost-json", "json")):
        save(folder, name, ending, boosted.predict(ASKED), boosted.save_model)
    save(
        folder, "lightgbm", "txt", light.booster_.predict(ASKED), light.booster_.save_model
    )
    save(folder, "catboost", "cbm", cat.predict(ASKED), lambda path: cat.save_model(str(path)))


def save(folder, name, ending, answers, write):
    project = Path(folder) / name
    project.mkdir()
    write(project / f"model.{ending}")
    (project / "examples.json").write_text(json.dumps(ASKED.tolist()))
    (project / "answers.json").write_text(json.dumps(np.asarray(answers).ravel().tolist()))


if __name__ == "__main__":
    main(sys.argv[1])
