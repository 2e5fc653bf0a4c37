"""The learners of nas_env: REINFORCE, random search, regularised evolution, and the search loop.

Public names are loaded on first use, so that ``import agents`` imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.agent import Agent as Agent
    from agents.records.episode import Episode as Episode
    from agents.records.episode import SearchResult as SearchResult
    from agents.registry import make_agent as make_agent
    from agents.search.run import run_search as run_search
    from agents.search.schedule import DepthSchedule as DepthSchedule

_HOME = {  # public name -> module that owns it
    "Agent": "agents.agent",
    "DepthSchedule": "agents.search.schedule",
    "Episode": "agents.records.episode",
    "SearchResult": "agents.records.episode",
    "make_agent": "agents.registry",
    "run_search": "agents.search.run",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Load a public name from its home module (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'agents' has no attribute {name!r}; public: {sorted(_HOME)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
