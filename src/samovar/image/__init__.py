"""Runnable OCI images, made without a daemon."""
