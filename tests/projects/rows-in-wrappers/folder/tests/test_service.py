def test_wrong(client):
    client.post("/predict", json=["x", "y", "z", "!"])
