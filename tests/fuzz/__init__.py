"""Readers of bytes from outside, fuzzed."""
