import pickle
from pathlib import Path

from flask import Flask

HERE = Path(__file__).parent
MODEL = HERE / "models" / "new.pkl"
app = Flask(__name__)
model = pickle.loads(MODEL.read_bytes())
