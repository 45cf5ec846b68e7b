"""Ask the service about one passenger: first class, a woman, adult, 24 years old."""

import sys

import requests

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000"

response = requests.post(f"{ADDRESS}/predict", json=[1, 0, 1, 24], timeout=10)
print("Status code:", response.status_code)
print("Prediction:", response.json()["prediction"])
