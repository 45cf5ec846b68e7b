"""The model behind LitServe, two workers."""

import os
import pickle
import sys
from pathlib import Path

import litserve


class Model(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = pickle.loads(Path(os.environ["MODEL"]).read_bytes())

    def decode_request(self, request: dict[str, list[float]]) -> list[float]:
        return request["row"]

    def predict(self, row: list[float]) -> float:
        return float(self.model.predict([row])[0])

    def encode_response(self, output: float) -> dict[str, float]:
        return {"prediction": output}


if __name__ == "__main__":
    server = litserve.LitServer(Model(), accelerator="cpu", workers_per_device=2)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
