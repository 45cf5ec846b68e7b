"""Bundles: pack, open, verify, predict, serve, save, load.

This room joins a project, its lock, its audit and its environment; what runs in the model's own
environment is in ``runtime/`` and is only ever started as a program (``bundle/child.py``).
"""
