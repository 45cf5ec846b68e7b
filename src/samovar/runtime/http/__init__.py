"""Connections, requests and replies: HTTP/1.1 and nothing of models."""
