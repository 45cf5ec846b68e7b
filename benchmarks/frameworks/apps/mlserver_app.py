"""The model behind MLServer, in its own process."""

import os
import pickle
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Model(MLModel):
    async def load(self) -> bool:
        self.model = pickle.loads(Path(os.environ["MODEL"]).read_bytes())
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("prediction", self.model.predict(rows))
        return InferenceResponse(model_name=self.name, outputs=[output])
