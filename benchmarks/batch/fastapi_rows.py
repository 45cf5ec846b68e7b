"""A list of records behind FastAPI, as its documentation would have it."""

import os
import pickle
from pathlib import Path

import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

model = pickle.loads(Path(os.environ["MODEL"]).read_bytes())
app = FastAPI()


class Row(BaseModel):
    a: float
    b: float
    c: float
    d: float


@app.post("/predict")
def predict(rows: list[Row]) -> dict[str, list[bool]]:
    frame = pd.DataFrame([row.model_dump() for row in rows])
    return {"predictions": model.predict(frame.to_numpy()).tolist()}
