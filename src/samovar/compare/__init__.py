"""Verdicts, diff and why: pure algorithms over recorded facts."""
