"""Save the model as MLflow's own format, for ``mlflow models serve``."""

import os
import pickle
import sys
from pathlib import Path

import mlflow.sklearn

mlflow.sklearn.save_model(
    pickle.loads(Path(os.environ["MODEL"]).read_bytes()),
    sys.argv[1],
    serialization_format="pickle",
    pip_requirements=[],
)
