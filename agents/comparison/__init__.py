"""Agents against each other over paired seeds."""
