"""Convert a loaded model into another format and ask the result what the model was asked."""
