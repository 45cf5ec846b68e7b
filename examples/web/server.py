"""The author's own service: works on the author's machine."""

import pickle
from pathlib import Path

import pandas as pd
from flask import Flask, jsonify, request

COLUMNS = ["pclass", "male", "adult", "age"]

app = Flask(__name__)

with Path("models/model.pkl").open("rb") as file:
    model = pickle.load(file)


@app.route("/")
def index():
    """Say that the service is there."""
    return "Server is running! The samovar is hot · самовар кипит"


@app.route("/predict", methods=["POST"])
def predict():
    """Answer whether a passenger survived: 1 or 0."""
    row = pd.DataFrame([request.get_json()], columns=COLUMNS)
    return jsonify(prediction=int(model.predict(row)[0]))


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=5000)
