"""Convolutional architectures as modules, and what they cost."""
