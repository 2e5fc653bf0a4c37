"""Agents that write many candidates for every child that is trained, and choose among them."""
