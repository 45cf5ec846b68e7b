"""Pack a trained model and its service, run it anywhere, prove that it predicts the same."""

__version__ = "0.1.0"
