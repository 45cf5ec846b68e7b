import requests

requests.post("http://127.0.0.1:5000/predict", json=[1, 0, 1, 24])
