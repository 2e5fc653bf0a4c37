"""Every sequence that was played, once: a row of bytes each, to which a checkpoint appends."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.agent import AgentState, Batch, Problem, unfit
from agents.reinforce.elites import episodes_of
from nas_env.errors import CheckpointError

ARRAY = "known"
"""Name of the rows in a checkpoint: length (4 bytes, little-endian), tokens, masks (a bit each)."""
LENGTH_BYTES = 4


class Known:
    """The sequences in the order of their first time.

    Args:
        problem: what is played; sizes of a row follow from it.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._type = np.min_scalar_type(problem.num_actions - 1).newbyteorder("<")
        self._token_bytes = problem.num_positions * self._type.itemsize
        self._mask_bytes = -(-problem.num_positions * problem.num_actions // 8)
        self._clear()

    def _clear(self) -> None:
        width = LENGTH_BYTES + self._token_bytes + self._mask_bytes
        self._rows = np.zeros((64, width), np.uint8)  # its capacity doubles
        self._numbers: dict[bytes, int] = {}
        self._of_length: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, tokens: NDArray[np.int64]) -> int | None:
        """The number of a whole sequence, from 0; None for one that is new."""
        return self._numbers.get(self._code(tokens))

    def length(self, number: int) -> int:
        """Length of a sequence."""
        return int(self._rows[number, :LENGTH_BYTES].view("<u4")[0])

    def of_length(self, length: int) -> list[int]:
        """Numbers of the sequences of one length."""
        return self._of_length.get(length, [])

    def add(self, batch: Batch) -> int:
        """Remember finished episodes; returns how many of them were known, siblings included."""
        repeats = 0
        for tokens, masks, _ in batch.rows():
            code = self._code(tokens)
            repeats += code in self._numbers
            self._add(code, tokens, masks)
        return repeats

    def _code(self, tokens: NDArray[np.int64]) -> bytes:
        return tokens.astype(self._type).tobytes()

    def _add(self, code: bytes, tokens: NDArray[np.int64], masks: NDArray[np.bool_]) -> None:
        if code in self._numbers:
            return
        number, length = len(self._numbers), len(tokens)
        if number == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        bits = np.packbits(masks.reshape(-1))
        row = self._rows[number]
        row[:LENGTH_BYTES] = np.frombuffer(length.to_bytes(LENGTH_BYTES, "little"), np.uint8)
        row[LENGTH_BYTES : LENGTH_BYTES + len(code)] = np.frombuffer(code, np.uint8)
        start = LENGTH_BYTES + self._token_bytes
        row[start : start + len(bits)] = bits
        self._numbers[code] = number
        self._of_length.setdefault(length, []).append(number)

    def sequences(
        self, numbers: Sequence[int], length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(n, length) tokens and (n, length, actions) masks of sequences of that length."""
        actions = self.problem.num_actions
        rows = self._rows[np.asarray(numbers, np.int64)]  # (n, width)
        start = LENGTH_BYTES + self._token_bytes
        tokens = np.ascontiguousarray(rows[:, LENGTH_BYTES:start]).view(self._type)[:, :length]
        bits = np.unpackbits(rows[:, start:], axis=1, count=length * actions)
        masks = bits.reshape(len(rows), length, actions).astype(np.bool_)
        return tokens.astype(np.int64), masks

    def rows(self) -> NDArray[np.uint8]:
        """(known, width): for a checkpoint; not a copy."""
        return self._rows[: len(self)]

    def load(self, state: AgentState) -> None:
        """Put back what ``rows`` returned, or what earlier versions kept.

        Raises:
            CheckpointError: it is neither.
        """
        self._clear()
        if ARRAY not in state.arrays:
            saved = episodes_of(state, ARRAY, self.problem)
            self.add(saved)
            return
        count = state.whole(ARRAY)
        rows = state.array(ARRAY, np.uint8, (count, self._rows.shape[1]))
        positions, actions = self.problem.num_positions, self.problem.num_actions
        lengths = np.ascontiguousarray(rows[:, :LENGTH_BYTES]).view("<u4").reshape(-1)
        for row, length in zip(rows, lengths.tolist(), strict=True):
            if not 1 <= length <= positions:
                raise CheckpointError(unfit(f"{ARRAY} holds a sequence of {length} tokens"))
            start = LENGTH_BYTES + self._token_bytes
            tokens = row[LENGTH_BYTES:start].view(self._type)[:length].astype(np.int64)
            bits = np.unpackbits(row[start:], count=length * actions)
            masks = bits.reshape(length, actions).astype(np.bool_)
            if tokens.max() >= actions or not masks[np.arange(length), tokens].all():
                raise CheckpointError(unfit(f"{ARRAY} holds tokens that were not valid"))
            self._add(self._code(tokens), tokens, masks)
        if not np.array_equal(self.rows(), rows):
            raise CheckpointError(unfit(f"{ARRAY} holds a sequence twice, or bytes of no meaning"))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        return {ARRAY: self.rows()}
