import os

import joblib
from fastapi import FastAPI as Framework

if os.environ.get("DEBUG"):
    application = Framework(debug=True)
else:
    application = Framework()

model = joblib.load(os.path.join(os.path.dirname(__file__), "..", "models", "model.pkl"))
