"""Measurements. ``python -m benchmarks NAME`` runs ``benchmarks/NAME.py``; each has a ``main()``."""
