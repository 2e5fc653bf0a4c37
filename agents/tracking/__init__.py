"""A search recorded with Weights & Biases."""
