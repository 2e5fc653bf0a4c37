"""Seeds and digests: the identity of a result, stable across processes and machines."""

import hashlib
import json
from typing import Any

from nas_env.space.layout import Architecture

CALLABLE = "callable"
"""The data-set digest of what a user's own function measures."""


def compact_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def architecture_key(architecture: Architecture) -> str:
    """The canonical architecture as a string: cache key and ``info["architecture"]``."""
    return compact_json(architecture.canonical().to_json())


def digest(value: Any) -> str:
    """32 hex digits of the SHA-256 of a JSON-able value."""
    return hashlib.sha256(compact_json(value).encode()).hexdigest()[:32]


def child_seed(
    run_seed: int, architecture: Architecture, dataset: str, recipe: str, repeat: int = 0
) -> int:
    """A child's own seed in [0, 2^63): a function of what it is, never of when or where it runs.

    Args:
        run_seed: seed of the search.
        architecture: any member of the equivalence class (the canonical form is hashed).
        dataset: data-set digest.
        recipe: recipe digest, without the arithmetic: another machine must not draw other weights.
        repeat: number of an intended repetition of the same training.
    """
    return seed_of_key(run_seed, architecture_key(architecture), dataset, recipe, repeat)


def seed_of_key(run_seed: int, key: str, dataset: str, recipe: str, repeat: int = 0) -> int:
    """``child_seed`` of an architecture whose ``architecture_key`` is known already."""
    text = compact_json([run_seed, key, dataset, recipe, repeat])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
