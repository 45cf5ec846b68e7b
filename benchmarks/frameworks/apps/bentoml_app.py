"""The model behind BentoML, two workers."""

import os
import pickle
from pathlib import Path

import bentoml


@bentoml.service(workers=2)
class Model:
    def __init__(self) -> None:
        self.model = pickle.loads(Path(os.environ["MODEL"]).read_bytes())

    @bentoml.api
    def predict(self, row: list[float]) -> dict[str, float]:
        return {"prediction": float(self.model.predict([row])[0])}
