"""The model behind FastAPI, as its documentation would have it."""

import os
import pickle
from pathlib import Path

from fastapi import FastAPI
from pydantic import RootModel

model = pickle.loads(Path(os.environ["MODEL"]).read_bytes())

app = FastAPI()


class Row(RootModel[list[float]]):
    pass


@app.post("/predict")
def predict(row: Row) -> dict[str, float]:
    return {"prediction": float(model.predict([row.root])[0])}
