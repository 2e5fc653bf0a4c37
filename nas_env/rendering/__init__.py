"""Architectures and episodes as text and pictures."""
