"""The vector environment: many episodes in lockstep, their children trained at the same time.

The state of all episodes is a handful of arrays, so a step costs the same few array operations for
one episode or a thousand. The children of all episodes that end in a step go to the evaluator as
one batch.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from nas_env.envs.decoder import Decoder
from nas_env.envs.episode import (
    NO_RENDER_MODE,
    as_evaluator,
    check_options,
    check_render_mode,
    observation_space,
    token_space,
)
from nas_env.envs.masks import Masks
from nas_env.envs.token_space import TokenBatchSpace
from nas_env.envs.vector_checks import (
    as_tokens,
    autoreset_mode_of,
    depths_of,
    reset_rows,
    seeds_of,
)
from nas_env.envs.vector_infos import single_observations, terminal_infos
from nas_env.envs.worth import Worth
from nas_env.errors import ConfigurationError, InvalidTokenError, ResetNeededError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Evaluator, MetricFunction
from nas_env.evaluation.named_reward import Reward, chosen_reward
from nas_env.evaluation.reward import identity
from nas_env.rendering.shapes import Pixels
from nas_env.space.layout import Architecture, SearchSpace
from nas_env.tasks.drawing import draw_tokens

Observations = dict[str, NDArray[Any]]
Infos = dict[str, Any]
StepResult = tuple[
    Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]
if TYPE_CHECKING:  # generic for type checkers only: older Gymnasium takes other parameters
    Base = VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]
else:
    Base = VectorEnv


class ArchitectureVectorEnv(Base):
    """`num_envs` episodes of an `ArchitectureEnv` in lockstep; see there for spaces and rewards.

    Rewards are those of the single environment for the same run seed and tokens. One seed given to
    `reset` is the run seed of all sub-environments; a list gives each its own, and so does
    `options={"run_seed": ...}`. All sub-environments share one evaluator, which gets the children
    of all episodes of one run seed that end in the same step as one batch.

    Autoreset modes (`autoreset_mode`, an `AutoresetMode` or its name or value):
    * `NEXT_STEP`: the step after an episode's end ignores the action and returns the first
      observation of the next episode, with reward 0.
    * `SAME_STEP`: the step that ends an episode returns the first observation of the next one;
      `infos["final_obs"]` and `infos["final_info"]` hold the end of the last one.
    * `DISABLED`: `reset(options={"reset_mask": mask})` starts the episodes of the rows in `mask`.

    `reset(options={"num_layers": n})` sets the depth of all episodes until the next `reset`; n is
    an integer or one for each sub-environment.

    Infos are arrays of length `num_envs`, and `_key` tells in which rows `key` has a value.

    Args:
        search_space: the search space.
        evaluator: an `Evaluator`, or a callable `(architecture, seed) -> metric`.
        reward: `metric -> float`, or a reward's name or settings.
        num_envs: number of episodes.
        render_mode: `"ansi"`, `"rgb_array"`, `"human"` or None.
        metric_name: what a callable measures.
        failure_reward: of a failed child, see `ArchitectureEnv`.
        autoreset_mode: see above.
        max_episode_steps: truncate longer episodes; None, as in every registered id, never does.
        owns_evaluator: whether `close()`, and the end of this object, close the evaluator; False
            where it is lent by another environment.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's own convention
        "render_modes": ["ansi", "rgb_array", "human"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        search_space: SearchSpace[Any],
        evaluator: Evaluator | MetricFunction,
        reward: Reward | str | Mapping[str, Any] = identity,
        *,
        num_envs: int = 1,
        render_mode: str | None = None,
        metric_name: MetricName = "metric",
        failure_reward: float | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        owns_evaluator: bool = True,
    ) -> None:
        if type(num_envs) is not int or num_envs < 1:
            raise ConfigurationError(f"num_envs is {num_envs!r}; it must be at least 1.")
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.search_space = search_space
        self.evaluator = as_evaluator(evaluator)
        self.owns_evaluator = owns_evaluator
        self.reward: Reward = chosen_reward(reward, metric_name)
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.metric_name: MetricName = metric_name
        self._worth = Worth(self.reward, failure_reward, metric_name)
        self.failure_reward = self._worth.failure_reward
        self.max_episode_steps = max_episode_steps
        self.run_seeds = [0] * num_envs
        self.autoreset_mode = autoreset_mode_of(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_action_space = token_space(search_space)
        self.action_space: TokenBatchSpace = TokenBatchSpace(num_envs, search_space.max_options)
        self.single_observation_space = observation_space(search_space, self.single_action_space)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._masks = Masks(search_space)
        self._decode = Decoder(search_space)
        self._allocate(len(search_space.layout))

    def _allocate(self, positions: int) -> None:
        count = self.num_envs
        self._rows = np.arange(count)
        self._tokens = np.zeros((count, positions), np.int64)
        self._written = np.zeros((count, positions), np.int64)  # token + 1, as observed
        self._positions = np.zeros(count, np.int64)
        self._depths = np.zeros(count, np.int64)  # layers of the running episode
        self._lengths = np.zeros(count, np.int64)  # tokens of the running episode; 0 = none yet
        self._over = np.zeros(count, np.bool_)  # ended, not started again
        self._set_masks()

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, Infos]:
        """Start episodes: all of them, or those in ``options["reset_mask"]``.

        Args:
            seed: run seed of all sub-environments, or of each, kept until another is given.
            options: ``num_layers``, ``reset_mask`` and ``run_seed``, see the class.

        Raises:
            ConfigurationError: an unknown option, a depth out of range, a mask of another shape, a
                seed that is none.
        """
        given = check_options(options, ("num_layers", "reset_mask", "run_seed"))
        seeds = seeds_of("seed", seed, self.num_envs)
        run_seeds = seeds_of("options['run_seed']", given.get("run_seed", seeds), self.num_envs)
        rows = reset_rows(given.get("reset_mask"), self.num_envs)
        depths = depths_of(self.search_space, given.get("num_layers"), self.num_envs)
        super().reset(seed=next((one for one in seeds if one is not None), None))
        for row in np.flatnonzero(rows).tolist():
            if (run_seed := run_seeds[row]) is not None:
                self.run_seeds[row] = run_seed
        self._depths[rows] = depths[rows]
        self._start(rows)
        self._set_masks()
        return self._observe(), self._infos(started=rows)

    def step(self, actions: NDArray[np.int64]) -> StepResult:
        """Write one token in each running episode; those that it completes train their children.

        Raises:
            InvalidTokenError: actions of a wrong shape or type, out of range, or masked out.
            ResetNeededError: before the first reset, or ended episodes with autoreset disabled.
        """
        tokens = as_tokens(actions, self.num_envs)
        running = ~self._over
        self._check(tokens, running)
        starting = self._over.copy()
        at = (self._rows[running], self._positions[running])
        self._tokens[at] = tokens[running]
        finished = running & (self._positions + 1 == self._lengths)
        evaluations, rewards = self._evaluate(np.flatnonzero(finished))
        # Nothing above has changed what can be observed: a step that raised can be tried again.
        self._written[at] = tokens[running] + 1
        self._positions[running] += 1
        truncated = np.zeros(self.num_envs, np.bool_)
        if self.max_episode_steps is not None:
            truncated = running & ~finished & (self._positions >= self.max_episode_steps)
        self._over = finished | truncated
        self._start(starting)
        self._set_masks()
        infos = self._infos(starting, finished, evaluations)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._over.any():
            infos = self._start_again(infos)
        return self._observe(), rewards, finished, truncated, infos

    @property
    def run_seed(self) -> int:
        """The run seed of the first sub-environment; of all, unless each was given its own."""
        return self.run_seeds[0]

    def action_masks(self) -> NDArray[np.bool_]:
        """(num_envs, actions) bool: which tokens are valid next."""
        return self._valid.copy()

    def render(self) -> tuple[str, ...] | tuple[Pixels, ...] | None:
        """A drawing of each architecture so far.

        Returns:
            Texts (``ansi``), pixels (``rgb_array``), or None: printed (``human``).
        """
        if self.render_mode is None:
            gym.logger.warn(NO_RENDER_MODE)
            return None
        written = [
            (self._tokens[row, :position].tolist(), depth or self.search_space.num_layers)
            for row, position, depth in zip(
                self._rows, self._positions.tolist(), self._depths.tolist(), strict=True
            )
        ]
        if self.render_mode == "rgb_array":
            from nas_env.tasks.drawing import draw_tokens_figure  # nobody else needs Pillow

            return tuple(draw_tokens_figure(self.search_space, *one).array() for one in written)
        drawings = tuple(draw_tokens(self.search_space, *one) for one in written)
        if self.render_mode == "human":
            print("\n\n".join(drawings))
            return None
        return drawings

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """What each sub-environment's method or attribute ``name`` gives, one per row."""
        if name == "run_seed":
            return tuple(self.run_seeds)
        value = getattr(self, name)
        if callable(value):
            value = value(*args, **kwargs)
        if name in ("action_masks", "render"):
            return tuple(value)
        return (value,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of each sub-environment (they share all but their episodes)."""
        return self.call(name)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the evaluator, where it is ours: workers stop, files are released."""
        if getattr(self, "owns_evaluator", False):  # Gymnasium also closes what was refused
            self.evaluator.close()

    def _check(self, tokens: NDArray[np.int64], running: NDArray[np.bool_]) -> None:
        if not self._lengths.all():
            raise ResetNeededError("Not all episodes were ever started: call reset() first.")
        if self.autoreset_mode == AutoresetMode.DISABLED and self._over.any():
            raise ResetNeededError(
                f"Episodes {np.flatnonzero(self._over).tolist()} have ended and autoreset is "
                f"disabled: call reset(options={{'reset_mask': terminations}}) first."
            )
        in_range = (tokens >= 0) & (tokens < self._valid.shape[1])
        valid = in_range & self._valid[self._rows, np.where(in_range, tokens, 0)]
        wrong = np.flatnonzero(running & ~valid)
        if wrong.size:
            row = int(wrong[0])
            message = self.search_space.describe_invalid(
                int(self._positions[row]), int(tokens[row]), self._valid[row]
            )
            raise InvalidTokenError(f"Sub-environment {row}: {message}")

    def _evaluate(self, rows: NDArray[np.int64]) -> tuple[list[Evaluation], NDArray[np.float64]]:
        rewards = np.zeros(self.num_envs)
        if not rows.size:
            return [], rewards
        lengths = self._lengths[rows].tolist()
        architectures = [
            self._decode(self._tokens[row, :length].tolist())
            for row, length in zip(rows, lengths, strict=True)
        ]
        evaluations = self._with_seeds(architectures, [self.run_seeds[row] for row in rows])
        rewards[rows] = [self._worth.of(evaluation) for evaluation in evaluations]
        return evaluations, rewards

    def _with_seeds(
        self, architectures: Sequence[Architecture], run_seeds: Sequence[int]
    ) -> list[Evaluation]:
        """Those of one run seed are evaluated together."""
        found: dict[int, Evaluation] = {}
        for run_seed in dict.fromkeys(run_seeds):
            of_seed = [row for row, seed in enumerate(run_seeds) if seed == run_seed]
            batch = [architectures[row] for row in of_seed]
            evaluations = self.evaluator.evaluate(batch, run_seed)
            found |= dict(zip(of_seed, evaluations, strict=True))
        return [found[row] for row in range(len(architectures))]

    def _start(self, rows: NDArray[np.bool_]) -> None:
        if rows.any():
            self._lengths[rows] = [self.search_space.length(n) for n in self._depths[rows].tolist()]
            self._positions[rows] = 0
            self._written[rows] = 0
            self._over[rows] = False

    def _start_again(self, infos: Infos) -> Infos:
        """SAME_STEP: move the ends of episodes to ``final_*`` and start the next ones."""
        ended = self._over.copy()
        final_obs = single_observations(self._observe(), ended)
        self._start(ended)
        self._set_masks()
        infos["_action_mask"] = ended.copy()
        return {
            **self._infos(started=ended),
            "final_obs": final_obs,
            "_final_obs": ended,
            "final_info": infos,
            "_final_info": ended.copy(),
        }

    def _set_masks(self) -> None:
        positions = np.where(self._over, 0, self._positions)
        self._valid = self._masks.many(self._tokens, positions)  # (num_envs, actions) bool
        self.action_space.valid = self._valid

    def _observe(self) -> Observations:
        return {
            "tokens": self._written.copy(),
            "position": self._positions.copy(),
            "remaining": np.maximum(self._lengths - self._positions, 0),  # 0: it has ended
            "action_mask": self._valid.astype(np.int8),
        }

    def _infos(
        self,
        started: NDArray[np.bool_],
        finished: NDArray[np.bool_] | None = None,
        evaluations: Sequence[Evaluation] = (),
    ) -> Infos:
        infos: Infos = {
            "action_mask": self._valid.astype(np.int8),
            "_action_mask": np.ones(self.num_envs, np.bool_),
        }
        if started.any():
            infos["num_layers"] = np.where(started, self._depths, 0)
            infos["_num_layers"] = started.copy()
        if finished is not None and evaluations:
            infos |= terminal_infos(evaluations, finished, self.metric_name, self._worth)
        return infos
