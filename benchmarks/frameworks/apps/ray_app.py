"""The model behind Ray Serve, two replicas."""

import os
import pickle
import signal
import sys
from pathlib import Path

import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.5}, max_ongoing_requests=256)
class Model:
    def __init__(self, path: str) -> None:
        self.model = pickle.loads(Path(path).read_bytes())

    async def __call__(self, request: Request) -> dict[str, float]:
        row = await request.json()
        return {"prediction": float(self.model.predict([row])[0])}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Model.bind(os.environ["MODEL"]), route_prefix="/predict")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    serve.shutdown()
    ray.shutdown()
