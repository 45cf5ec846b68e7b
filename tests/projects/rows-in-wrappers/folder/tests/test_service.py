def test_wrong(client):
    answer = client.post("/predict", json=["x", "y", "z", "!"])
    assert answer.status_code == 400
