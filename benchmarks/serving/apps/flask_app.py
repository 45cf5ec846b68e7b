"""The model behind Flask, for uWSGI."""

import os
import pickle
from pathlib import Path

from flask import Flask, jsonify, request

model = pickle.loads(Path(os.environ["MODEL"]).read_bytes())

app = Flask(__name__)


@app.post("/predict")
def predict():
    return jsonify({"prediction": float(model.predict([request.get_json()])[0])})
