"""Arrow's IPC streams in NumPy: what a model's environment may lack pyarrow for (decision 0019)."""
