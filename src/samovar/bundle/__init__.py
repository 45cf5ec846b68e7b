"""Bundles: pack, open, verify, predict, serve, save, load."""
