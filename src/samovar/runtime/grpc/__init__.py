"""The Open Inference Protocol over gRPC, an extra beside the HTTP server."""
