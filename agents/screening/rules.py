"""Which tokens are valid where: as the environment publishes, or learned from masks that were seen.

An agent plans whole architectures before it plays them, but an environment shows a mask only when
the position is reached. One that publishes its search space is asked. Of others most masks depend
on the position alone. Where one does not (the pool size of a layer, which only pooling layers
have), the nearest earlier position is looked for whose token has explained every mask so far. A
rule that is wrong costs a candidate, never an episode: whatever was planned is played within the
masks that the environment shows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import AgentState, Problem, unfit
from nas_env.errors import CheckpointError

UNSEEN, SEVERAL = -1, -2


class MaskRules:
    """Masks by position, and by the token of an earlier position where that is not enough.

    Args:
        problem: what is played; its layout says what exists before anything was seen.

    Attributes:
        seen: every different mask, (actions,) bool each, in the order of its first time.
        only: (positions,) the one mask seen at a position, as its place in ``seen``; ``UNSEEN``, or
            ``SEVERAL``.
        cases: position with several masks -> (positions, actions): the mask that went with each
            token of each earlier position; ``UNSEEN``, or ``SEVERAL``: that token explains nothing.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        shape = (problem.num_positions, problem.num_actions)
        self.options = np.ones(shape, np.bool_)  # what may be valid, as far as is known
        if problem.layout is not None:
            sizes = np.array([len(position.options) for position in problem.layout])
            self.options = np.arange(problem.num_actions) < sizes[:, None]
        self.seen: list[NDArray[np.bool_]] = []
        self._numbers: dict[bytes, int] = {}
        self.only = np.full(problem.num_positions, UNSEEN, np.int32)
        self.cases: dict[int, NDArray[np.int32]] = {}
        self._owners: dict[int, int] = {}

    def learn(self, tokens: NDArray[np.int64], masks: NDArray[np.bool_]) -> None:
        """Take in one episode: (length,) tokens, (length, actions) masks."""
        numbers = np.array([self._number(mask) for mask in masks], np.int32)  # (length,)
        known = self.only[: len(numbers)]
        changed = (known >= 0) & (known != numbers)
        known[:] = np.where(known == UNSEEN, numbers, np.where(changed, SEVERAL, known))
        for position in np.flatnonzero(known == SEVERAL).tolist():
            self._learn_case(position, tokens[:position], int(numbers[position]))

    def _learn_case(self, position: int, earlier: NDArray[np.int64], number: int) -> None:
        if position not in self.cases:
            shape = (self.problem.num_positions, self.problem.num_actions)
            self.cases[position] = np.full(shape, UNSEEN, np.int32)
        case, places = self.cases[position], np.arange(len(earlier))
        before = case[places, earlier]
        same = (before == UNSEEN) | (before == number)
        case[places, earlier] = np.where(same, number, SEVERAL)
        self._owners.pop(position, None)

    def _number(self, mask: NDArray[np.bool_]) -> int:
        key = mask.tobytes()
        if key not in self._numbers:
            self._numbers[key] = len(self.seen)
            self.seen.append(mask.copy())
        return self._numbers[key]

    def owner(self, position: int) -> int:
        """The earlier position whose token decides the mask of this one; -1: none is known."""
        if self.only[position] != SEVERAL:
            return -1
        if position not in self._owners:
            explains = ~(self.cases[position][:position] == SEVERAL).any(axis=1)
            found = np.flatnonzero(explains)
            self._owners[position] = int(found[-1]) if len(found) else -1
        return self._owners[position]

    def deciding(self) -> NDArray[np.bool_]:
        """(positions,) whether a position's token decides what is valid later."""
        result = np.zeros(self.problem.num_positions, np.bool_)
        result[[q for p in self.cases if (q := self.owner(p)) >= 0]] = True
        return result

    def masks(self, tokens: NDArray[np.int64], position: int) -> NDArray[np.bool_]:
        """(batch, actions) what should be valid after (batch, positions) tokens."""
        if self.problem.masks is not None:
            return self.problem.masks(tokens, np.full(len(tokens), position))
        rows, only = len(tokens), int(self.only[position])
        if only >= 0:
            return np.repeat(self.seen[only][None], rows, axis=0)
        result = np.repeat(self.options[position][None], rows, axis=0)
        owner = self.owner(position)
        if owner >= 0:
            numbers = self.cases[position][owner, tokens[:, owner]]  # (batch,)
            told = numbers >= 0
            result[told] = np.array(self.seen)[numbers[told]]
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        actions, positions = self.problem.num_actions, self.problem.num_positions
        cases = np.zeros((len(self.cases), positions, actions), np.int32)
        for row, position in enumerate(sorted(self.cases)):
            cases[row] = self.cases[position]
        return {
            "rules.seen": np.array(self.seen, np.bool_).reshape(-1, actions),
            "rules.only": self.only.copy(),
            "rules.cases": cases,
        }

    def load(self, state: AgentState) -> None:
        """Put back what ``arrays`` returned.

        Raises:
            CheckpointError: it did not.
        """
        actions, positions = self.problem.num_actions, self.problem.num_positions
        seen = state.array("rules.seen", np.bool_, (None, actions))
        only = state.array("rules.only", np.int32, (positions,), SEVERAL, len(seen) - 1)
        several = np.flatnonzero(only == SEVERAL).tolist()
        shape = (len(several), positions, actions)
        cases = state.array("rules.cases", np.int32, shape, SEVERAL, len(seen) - 1)
        if not seen.any(axis=1).all() or len(np.unique(seen, axis=0)) != len(seen):
            raise CheckpointError(unfit("rules.seen holds masks that cannot have been seen"))
        self.seen = list(seen.copy())
        self._numbers = {mask.tobytes(): number for number, mask in enumerate(self.seen)}
        self.only = only.copy()
        self.cases = {position: cases[row].copy() for row, position in enumerate(several)}
        self._owners = {}
