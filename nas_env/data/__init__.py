"""Bytes -> tensors resident on the device."""
