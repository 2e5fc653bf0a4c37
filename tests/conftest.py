"""Fixtures of all tests."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_not_ignored() -> None:
    """A shell that starts pytest in the background has it ignore SIGINT; children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
