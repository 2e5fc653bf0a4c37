"""Whose state a checkpoint is, and continuing an agent after it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agents.agent import Agent, AgentState, Problem, unfit
from agents.streams import EpisodeStreams
from nas_env.errors import CheckpointError, NasEnvError

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
        raise CheckpointError(unfit("it does not say which agent wrote it"))
    for key, value in expected.items():
        if found.get(key) != value:
            raise CheckpointError(
                f"The checkpoint has {key} {found.get(key)!r}, but this search has {value!r}. "
                "Resume with the environment and agent that wrote it."
            )


def restore(agent: Agent, state: AgentState, problem: Problem, children: int) -> None:
    """Continue an agent after a checkpoint.

    Args:
        agent: as it was made; not to be used where this raises.
        state: of the checkpoint.
        problem: what it plays.
        children: how many the search had finished.

    Raises:
        CheckpointError: the state cannot be this agent's.
    """
    try:
        agent.load_state(state)
    except NasEnvError:
        raise
    except Exception as error:  # it can hold anything, so anything can go wrong in there
        raise CheckpointError(unfit(f"{type(error).__name__}: {error}")) from error
    streams = getattr(agent, "streams", None)
    if isinstance(streams, EpisodeStreams):
        # A row of a foreign vector environment may begin anew until the others have ended.
        most = children * problem.num_positions
        if not children <= streams.started <= most:
            raise CheckpointError(unfit(f"episodes is {streams.started} for {children} children"))
