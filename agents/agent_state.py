"""Whose state a checkpoint is: the agent and the problem it was made for."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agents.agent import AgentState, Problem
from nas_env.errors import CheckpointError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def owner(
    name: str, problem: Problem, settings: "DataclassInstance | None" = None
) -> dict[str, Any]:
    """What must be equal for a state to fit: JSON-able."""
    layout = problem.layout
    names = None if layout is None else sorted({position.name for position in layout})
    return {
        "agent": name,
        "positions": problem.num_positions,
        "actions": problem.num_actions,
        "choices": names,
        "settings": None if settings is None else asdict(settings),
    }


def check_owner(
    state: AgentState, name: str, problem: Problem, settings: "DataclassInstance | None" = None
) -> None:
    """Refuse the state of another agent, of another problem, or with other hyper-parameters.

    Raises:
        CheckpointError: naming what differs.
    """
    expected, found = owner(name, problem, settings), state.values.get("owner")
    if not isinstance(found, dict):
        raise CheckpointError("The checkpoint does not say which agent wrote it: it is damaged.")
    for key, value in expected.items():
        if found.get(key) != value:
            raise CheckpointError(
                f"The checkpoint has {key} {found.get(key)!r}, but this search has {value!r}. "
                "Resume with the environment and agent that wrote it."
            )
