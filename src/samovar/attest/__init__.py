"""Attestations: who vouches for which digest, and what a deployment must have."""
