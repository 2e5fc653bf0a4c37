"""Tokens <-> architectures, in pure Python: no torch, no data."""
