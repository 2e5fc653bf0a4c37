"""Sampling architectures that were not sampled before, exactly as the policy prefers them.

Every new sequence s is written with probability P(s) / (1 - P(known)), as if the policy were asked
again until it wrote a new one; those of one batch are known to those that follow. Sources: Shi,
Bieber & Sutton 2020, "Incremental Sampling Without Replacement for Sequence Models"; the trie of
``agents.reinforce.mass``.

Leaving a sequence out takes its probability, and the policy moves at every update. So few are left
out at first (those that the last update met), and the policy is asked again where it writes a known
one, which is left out from then on. That is exact whatever was left out, and costs next to nothing
while the policy is open. Where it has settled, and has been asked in vain ``TRIES`` times for one
child, everything known is left out, and nothing needs to be asked again.

For this, whole sequences are planned as an episode begins, which takes an environment that
publishes its search space (``Problem.masks``) and tells the length (``remaining``). Any other is
played token by token with everything known left out: exact where episodes are played one after
another; of several at once, later ones leave out what earlier ones have ended with.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.agent import AgentState, Batch, Observations, Problem, unfit
from agents.reinforce.controller import Controller
from agents.reinforce.known import Known
from agents.reinforce.left_out import Out, known_log_p, total
from agents.reinforce.mass import NOWHERE, Left, in_order, shares
from agents.reinforce.sampler import ControllerSampler
from agents.streams import draw, masks_of, positions_of
from nas_env.errors import CheckpointError

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]

AT_ONCE = 8
"""Sequences written at once where the first was known: the first new one counts."""
TRIES = 4
"""How often so many are written for one child before everything known is left out."""
MOST_HEAVY = 512
"""Known sequences left out from the start, at most."""
LIGHT = 1e-3
"""A known sequence with less than this part of what is left is not worth leaving out."""


@dataclass(frozen=True)
class Plan:
    """An episode to be played: (length,) tokens, and (length, actions) the masks expected."""

    tokens: Tokens
    masks: NDArray[np.bool_]

    def fits(self, position: int, before: Tokens, mask: NDArray[np.bool_]) -> bool:
        """Whether an episode in flight is this one so far."""
        return (
            position < len(self.tokens)
            and np.array_equal(self.tokens[:position], before[:position])
            and np.array_equal(self.masks[position], mask)
        )


class Unseen:
    """The known sequences, and episodes that avoid them.

    Args:
        controller: the policy.
        problem: what is played.

    Attributes:
        known: every sequence that was played before.
        length: length of the last batch's longest episode; at first, of the search space's.
        heavy: numbers of known sequences that the next update leaves out from the start, ascending.
        exhausted: lengths of which every sequence is known: the policy then repeats itself.
    """

    def __init__(self, controller: Controller, problem: Problem) -> None:
        self.controller = controller
        self.problem = problem
        self.known = Known(problem)
        self.length = problem.num_positions
        self.heavy: list[int] = []
        self.exhausted: set[int] = set()
        self._ahead = ControllerSampler(controller)
        self._beside = ControllerSampler(controller)
        self._out: dict[int, Out] = {}
        self._written: set[bytes] = set()  # by this batch, whose episodes are not known yet
        self._plans: dict[int, Plan] = {}
        self._paths: dict[int, list[Array]] = {}

    # -- between batches ---------------------------------------------------------------------

    def add(self, batch: Batch) -> dict[str, float]:
        """Know finished episodes; call it before the weights change.

        Returns:
            ``repeats``: how many were known before; ``left_out``: the part of the policy's
            probability that is known to be known.
        """
        repeats = self.known.add(batch)
        outs = [self._weighed(out) for out in self._out.values()]
        heavy = sorted((one for found, _ in outs for one in found), reverse=True)[:MOST_HEAVY]
        self.heavy = sorted(number for _, number in heavy)
        left_out = max((mass for _, mass in outs), default=0.0)
        self.forget(int(batch.lengths.max(initial=0)) or self.length)
        return {"repeats": float(repeats), "left_out": left_out}

    def _weighed(self, out: Out) -> tuple[list[tuple[float, int]], float]:
        """(log-probability, number) of the sequences worth leaving out again; their mass."""
        trie = out.trie()
        if trie is None:
            return [], 0.0
        found = []
        for tokens, log_p in zip(out.tokens, out.log_p, strict=True):
            number, chance = self.known.number(tokens), total(log_p, tokens)
            if number is not None and chance > trie.log_mass + np.log(LIGHT):
                found.append((chance, number))
        return found, abs(float(np.expm1(min(trie.log_mass, 0.0))))

    def forget(self, length: int) -> None:
        """Drop the batch in flight and what was computed for it."""
        self.length = length
        self._out.clear()
        self._written.clear()
        self._plans.clear()
        self._paths.clear()
        self._ahead.forget()
        self._beside.forget()

    def save(self, state: AgentState) -> AgentState:
        """The state with what is known in it.

        A batch of which nothing was learned is forgotten, as it is by who resumes from this state.
        """
        self.forget(self.length)
        arrays = {**self.known.arrays(), "heavy": np.array(self.heavy, np.int64)}
        values = {
            "longest": self.length,
            "known": len(self.known),
            "heavy": len(self.heavy),
            "exhausted": sorted(self.exhausted),
        }
        return AgentState(
            {**state.arrays, **arrays}, {**state.values, **values}, frozenset(["known"])
        )

    def load(self, state: AgentState) -> None:
        """Put back what ``save`` put in, of this version or of earlier ones.

        Raises:
            CheckpointError: it cannot be that.
        """
        positions = self.problem.num_positions
        self.known.load(state)
        self.forget(state.whole("longest", 1, positions))
        self.heavy, self.exhausted = [], set()
        if "known" not in state.arrays:
            return  # an earlier version
        count = state.whole("heavy", 0, min(MOST_HEAVY, len(self.known)))
        heavy = state.array("heavy", np.int64, (count,), 0, len(self.known) - 1)
        exhausted = state.values.get("exhausted")
        lengths = range(1, positions + 1)
        if (np.diff(heavy) <= 0).any() or not isinstance(exhausted, list):
            raise CheckpointError(unfit("heavy or exhausted is not what was written"))
        if any(isinstance(n, bool) or n not in lengths for n in exhausted):
            raise CheckpointError(unfit(f"exhausted is {exhausted}"))
        if any(not self.known.of_length(length) for length in exhausted):
            raise CheckpointError(unfit(f"exhausted is {exhausted}, of which nothing is known"))
        self.heavy, self.exhausted = heavy.tolist(), set(exhausted)

    # -- acting ------------------------------------------------------------------------------

    def act(
        self, observations: Observations, generators: list[np.random.Generator]
    ) -> NDArray[np.int64]:
        """One token per row.

        Args:
            observations: what the rows see.
            generators: one per row.
        """
        positions, masks = positions_of(observations), masks_of(observations)
        tokens = np.asarray(observations["tokens"], np.int64) - 1  # (batch, positions)
        self._begin(observations, positions, generators)
        drawn, unplanned = np.zeros(len(positions), np.int64), []
        for row, position in enumerate(positions.tolist()):
            plan = self._plans.get(row)
            if plan is not None and plan.fits(position, tokens[row], masks[row]):
                drawn[row] = plan.tokens[position]
            else:
                self._plans.pop(row, None)  # the environment does otherwise than it published
                unplanned.append(row)
        if unplanned:
            self._step_by_step(observations, unplanned, generators, drawn)
        return drawn

    def _begin(
        self,
        observations: Observations,
        positions: NDArray[np.int64],
        generators: list[np.random.Generator],
    ) -> None:
        """Plan the episodes that begin, where they can be planned."""
        starts = np.flatnonzero(positions == 0).tolist()
        if not starts:
            return
        for row in starts:
            self._paths.pop(row, None)
            self._plans.pop(row, None)
        if self.problem.masks is None or "remaining" not in observations:
            return
        lengths = np.asarray(observations["remaining"], np.int64).reshape(-1)
        for length in np.unique(lengths[starts]).tolist():
            if 1 <= length <= self.problem.num_positions:
                rows = [row for row in starts if lengths[row] == length]
                plans = self._planned(length, [generators[row] for row in rows])
                self._plans.update(zip(rows, plans, strict=True))

    def _planned(self, length: int, generators: list[np.random.Generator]) -> list[Plan]:
        """New sequences, one for each generator: each knows of those before it.

        All first tries are written at once, with the same left out for each: so a batch gets the
        same sequences whether it is played side by side or one after another.
        """
        out = self._out_of(length)
        tokens, masks, log_p = self._write(length, generators, out.first_trie())
        return [
            self._new(length, out, generator, (tokens[row], masks[row], log_p[row]))
            for row, generator in enumerate(generators)
        ]

    def _new(
        self,
        length: int,
        out: Out,
        generator: np.random.Generator,
        tried: tuple[Tokens, NDArray[np.bool_], Array],
    ) -> Plan:
        """The sequence tried, or another one if it is known."""
        for tries in range(TRIES + 1):
            if length in self.exhausted or not self._is_known(tried[0]):
                break
            out.add(tried[0], tried[2])
            if tries == TRIES:
                self._complete(length, out)
            tried = self._another(length, out, generator)
        tokens, masks, log_p = tried
        out.add(tokens, log_p)
        self._written.add(tokens.tobytes())
        return Plan(tokens, masks)

    def _another(
        self, length: int, out: Out, generator: np.random.Generator
    ) -> tuple[Tokens, NDArray[np.bool_], Array]:
        """The first new one of some sequences, or the last of them; the others are left out."""
        trie, count = out.trie(), 1 if out.complete else AT_ONCE
        if trie is not None and np.isneginf(trie.log_mass):  # nothing new is left
            if not self._written:
                self.exhausted.add(length)
            trie, count = None, 1  # what the policy would write
        tokens, masks, log_p = self._write(length, [generator] * count, trie)
        for row in range(count):
            if row + 1 == count or not self._is_known(tokens[row]):
                break
            out.add(tokens[row], log_p[row])
        return tokens[row], masks[row], log_p[row]

    def _is_known(self, tokens: Tokens) -> bool:
        return tokens.tobytes() in self._written or self.known.number(tokens) is not None

    def _write(
        self, length: int, generators: list[np.random.Generator], trie: Left | None
    ) -> tuple[Tokens, NDArray[np.bool_], Array]:
        """Whole sequences of the policy, without those left out.

        Returns:
            (rows, length) tokens; (rows, length, actions) masks and log-probabilities.
        """
        assert self.problem.masks is not None
        rows, actions = len(generators), self.problem.num_actions
        tokens = np.zeros((rows, self.problem.num_positions), np.int64)
        masks = np.zeros((rows, length, actions), np.bool_)
        log_p = np.zeros((rows, length, actions))
        nodes = np.full(rows, NOWHERE if trie is None else 0)
        chosen = np.zeros_like(tokens)  # as observed: token + 1
        for depth in range(length):
            positions = np.full(rows, depth)
            masks[:, depth] = self.problem.masks(tokens, positions)
            seen = {"tokens": chosen, "position": positions, "action_mask": masks[:, depth]}
            log_p[:, depth] = self._ahead.log_probabilities(seen)
            weights = log_p[:, depth]
            if trie is not None:
                weights = trie.weights(depth, nodes, weights)
            tokens[:, depth] = draw(shares(weights), generators)
            chosen[:, depth] = tokens[:, depth] + 1
            if trie is not None:
                nodes = trie.follow(depth, nodes, tokens[:, depth])
        return tokens[:, :length].copy(), masks, log_p

    # -- what is left out --------------------------------------------------------------------

    def _out_of(self, length: int) -> Out:
        """What is left out of the sequences of one length, at first the heavy ones."""
        if length not in self._out:
            out = self._out[length] = Out()
            heavy = [number for number in self.heavy if self.known.length(number) == length]
            self._leave_out(length, out, heavy)
            out.first = len(out.tokens)
        return self._out[length]

    def _complete(self, length: int, out: Out) -> None:
        """Leave out everything known of one length."""
        if not out.complete:
            self._leave_out(length, out, self.known.of_length(length))
            out.complete = True

    def _leave_out(self, length: int, out: Out, numbers: list[int]) -> None:
        """Leave out known sequences, with their probabilities under the policy as it is now."""
        if not numbers:
            return
        tokens, masks = self.known.sequences(numbers, length)
        order, branch = in_order(tokens)
        log_p = known_log_p(self.controller, self.problem, tokens[order], masks[order], branch)
        for row, chances in zip(order.tolist(), log_p, strict=True):
            out.add(tokens[row], chances)

    # -- token by token ----------------------------------------------------------------------

    def _step_by_step(
        self,
        observations: Observations,
        rows: list[int],
        generators: list[np.random.Generator],
        drawn: NDArray[np.int64],
    ) -> None:
        """Draw the tokens of rows without a plan, with everything known left out."""
        positions = positions_of(observations)
        tokens = np.asarray(observations["tokens"], np.int64) - 1
        remaining = np.asarray(observations.get("remaining", self.length - positions))
        log_p = self._beside.log_probabilities(observations)  # (batch, actions)
        for row in rows:
            position, length = int(positions[row]), int(positions[row] + remaining.reshape(-1)[row])
            before, path = tokens[row, :position], self._paths.setdefault(row, [])
            if len(path) > position:  # it has ended and waits for others: nothing is played
                drawn[row] = log_p[row].argmax()
                continue
            path.append(log_p[row])
            weights = self._weights_after(before, length, log_p[row])
            drawn[row] = draw(shares(weights)[None], [generators[row]])[0]
            if position + 1 >= length:
                whole = np.append(before, drawn[row])
                self._written.add(whole.tobytes())
                if len(path) == len(whole):
                    self._out_of(length).add(whole, np.stack(path))

    def _weights_after(self, before: Tokens, length: int, log_p: Array) -> Array:
        """(actions,) logarithms of the weights of the next token; the policy's if none is new."""
        if length <= len(before):
            return log_p
        out = self._out_of(length)
        self._complete(length, out)
        trie, node = out.trie(), np.zeros(1, np.int64)
        if trie is None:
            return log_p
        for depth, token in enumerate(before):
            node = trie.follow(depth, node, np.array([token]))
        weights: Array = trie.weights(len(before), node, log_p[None])[0]
        return log_p if np.isneginf(weights).all() else weights
