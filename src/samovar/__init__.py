"""samovar packs a trained model and its service, runs it anywhere and proves that it predicts the same."""

__version__ = "0.1.0"
