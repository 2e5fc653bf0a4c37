"""The base environment: any search space, any evaluator, any reward.

One episode writes one architecture token by token; the last token trains one child.
"""

import operator
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from nas_env.checks import check_seed
from nas_env.envs.decoder import Decoder
from nas_env.envs.episode import (
    NO_RENDER_MODE,
    as_evaluator,
    check_depth,
    check_options,
    check_render_mode,
    observation_space,
    outcome_text,
    terminal_info,
    token_space,
)
from nas_env.envs.masks import Masks
from nas_env.envs.token_space import TokenSpace
from nas_env.envs.worth import Worth
from nas_env.errors import InvalidTokenError, ResetNeededError
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.evaluation.evaluator import Evaluator, MetricFunction
from nas_env.evaluation.named_reward import Reward, chosen_reward
from nas_env.evaluation.reward import identity
from nas_env.rendering.shapes import Pixels
from nas_env.space.layout import SearchSpace
from nas_env.tasks.drawing import draw_tokens

Observation = dict[str, Any]


class ArchitectureEnv(gym.Env[Observation, np.int64]):
    """An episode writes an architecture; the reward is what its child is worth after training.

    ## Description
    The environment of Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning",
    section 3: a sequence of tokens describes a network, its child is trained on real data, and a
    function of the validation metric is the only reward. This base class takes any search space
    and any evaluator; `ConvEnv` adds the paper's spaces, data and training.

    ```python
    space = nas_env.ChoiceSpace({"width": [8, 16, 32], "activation": ["relu", "tanh"]})
    env = nas_env.ArchitectureEnv(space, lambda architecture, seed: measure(architecture))
    ```

    ## Action Space
    `Discrete(most options at any position)`: the next token. What a token means depends on the
    position: `env.unwrapped.search_space.layout[position].options[token]`.

    Most positions have fewer options than that. The valid tokens are given three ways, always as a
    fresh copy: `env.unwrapped.action_masks()` (bool), `info["action_mask"]` (int8, as
    `action_space.sample(mask)` wants it) and `obs["action_mask"]`. `action_space.sample()` without
    a mask draws from the valid tokens, also in `SyncVectorEnv` and `AsyncVectorEnv`. Where a
    wrapper changes the observations of their environments, it draws from the tokens that are valid
    everywhere; `envs.action_space.sample(mask=tuple(infos["action_mask"]))` draws from all.

    ## Observation Space
    | Key | Space | Meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete(options + 1)` | token + 1 at each position; 0 = not chosen yet |
    | `position` | `Discrete(positions + 1)` | number of tokens chosen so far |
    | `remaining` | `Discrete(positions + 1)` | number of tokens left in the episode |
    | `action_mask` | `MultiBinary(actions)` | 1 = valid as the next token |

    The shapes are those of the deepest architecture; a shallower episode uses the first positions.
    Everything that was chosen is in the observation, and so is how much is still to come:
    episodes of all depths are Markov. In the observation that ends an episode, `position` is the
    episode's length, `remaining` 0 and `action_mask` that of the first position of a next episode,
    so that it is never empty.

    ## Rewards
    0 until the last token; then `reward(metric)` of the trained child, `failure_reward` if it
    failed. Where that is not given, it is the reward of the worst metric: of accuracy 0, of an
    infinite perplexity (the lower of both ends of the range, so that a reward that prefers a bad
    metric cannot make failing the best action).

    **An episode may have no reward**: where the machine and not the child is to blame (workers that
    die, a full disk, a device out of order), after several tries; and where a child fails and
    nobody can say what the worst one is worth (a `metric` of unknown range, a reward without a
    lowest value). Then `info["reward_missing"]` is true. The number returned is the failure's,
    or 0: Gymnasium and Stable-Baselines3 take nothing but numbers. If the machine is to blame
    (`info["machine_fault"]`), nothing is stored, the same tokens are tried again the next time, and
    the agents of this project learn nothing from the episode. Otherwise they take it for the worst
    that they have seen. A learner that does not look at the marker learns from the number: give it
    `failure_reward`.

    ## Starting State
    No token chosen. `reset(options={"num_layers": n})` sets the depth of this episode. The seed
    given to `reset` is the run seed, from which the seed of every child derives; it is kept until
    another is given and is 0 if none ever was. Same run seed and tokens, same reward, in whatever
    wrapper or vector environment. Gymnasium's `SyncVectorEnv` and `AsyncVectorEnv` count a seed up:
    `envs.reset(seed=[s] * n)`, or `reset(seed=s, options={"run_seed": s})`, gives all the same.

    ## Episode End
    `terminated` after the last token; never `truncated`. A step that raised an error (an invalid
    token, a store that cannot be written) has not happened and may be tried again.

    ## Information
    Every step: `action_mask`. `reset`: also `num_layers`, the depth of the episode. The last step:
    | Key | Type | Meaning |
    |---|---|---|
    | `architecture` | str | the canonical architecture as JSON (`nas_env.architecture_from_json`) |
    | `metric` | float | as measured on the validation data; NaN if the child failed |
    | `accuracy` or `perplexity` | float | the same under its own name, where it has one |
    | `parameters` | int | learnable parameters of the child, 0 if unknown |
    | `macs` | int | multiply-accumulates of one forward pass of one example, 0 if unknown |
    | `state` | str | `complete` or `failed` |
    | `failure` | str | `""`, `out_of_memory`, `diverged`, `timeout`, `worker_lost`, `too_large`, \
`error` |
    | `message` | str | what went wrong in one line, `""` if nothing did |
    | `train_seconds` | float | wall-clock seconds the training took |
    | `cached` | bool | the outcome was known already: nothing was trained |
    | `reward_missing` | bool | the episode has no reward: the number returned says nothing |
    | `machine_fault` | bool | the machine, not the child, is to blame |

    The children's faults never raise. No test data are ever read.

    ## Arguments
    * `search_space`: layout, masks, decode and encode (`nas_env.space.layout.SearchSpace`).
    * `evaluator`: an `Evaluator`, or a callable `(architecture, seed) -> metric`; an exception or a
      number that is not finite is then a failed child. `close()` closes it.
    * `reward`: `metric -> float`, the identity by default; or a reward's name or settings, such as
      `"accuracy_cubed"` with `metric_name="accuracy"`.
    * `render_mode`: what `render()` gives of what is written so far: `"ansi"` a drawing as text,
      `"rgb_array"` a picture of one size for all steps of an episode, as `RecordVideo` wants it,
      `"human"` the text, printed, also at the end of each episode; it needs no display.
    * `metric_name`: what a callable measures: `"metric"`, `"accuracy"` or `"perplexity"`.
    * `failure_reward`: reward of a failed child, no higher than any other; None = that of the worst
      metric where it is known, else none.

    ## References
    Zoph, B. and Le, Q. V. (2017). Neural Architecture Search with Reinforcement Learning. ICLR.

    Attributes:
        search_space: the search space.
        evaluator: what turns an architecture into an evaluation.
        run_seed: the seed from which children's seeds derive.
        evaluation: outcome of the last finished child, None before the first.
        failure_reward: of a failed child; None = it has no reward.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's own convention
        "render_modes": ["ansi", "rgb_array", "human"],
        "render_fps": 4,
    }

    def __init__(
        self,
        search_space: SearchSpace[Any],
        evaluator: Evaluator | MetricFunction,
        reward: Reward | str | Mapping[str, Any] = identity,
        *,
        render_mode: str | None = None,
        metric_name: MetricName = "metric",
        failure_reward: float | None = None,
    ) -> None:
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.search_space = search_space
        self.evaluator = as_evaluator(evaluator)
        self.metric_name: MetricName = metric_name
        self.reward: Reward = chosen_reward(reward, metric_name)
        self._worth = Worth(self.reward, failure_reward, metric_name)
        self.failure_reward = self._worth.failure_reward
        self.render_mode = render_mode
        self.run_seed = 0
        self.evaluation: Evaluation | None = None
        self.action_space: TokenSpace = token_space(search_space)
        self.observation_space = observation_space(search_space, self.action_space)
        self._masks = Masks(search_space)
        self._decode = Decoder(search_space)
        self._tokens = np.zeros(len(search_space.layout), np.int64)  # (positions,)
        self._written = np.zeros_like(self._tokens)  # (positions,) token + 1, as observed
        self._position = 0
        self._length = 0  # of the running episode; 0 = none is running
        self._num_layers = search_space.num_layers
        self._set_mask(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: run seed, kept until another is given.
            options: ``num_layers``, the depth of this episode; ``run_seed``, the run seed where
                ``seed`` is another, as in vector environments that count it up.

        Raises:
            ConfigurationError: an unknown option, a depth out of range, a run seed that is none.
        """
        given = check_options(options, ("num_layers", "run_seed"))
        run_seed = given.get("run_seed", seed)
        depth = check_depth(
            self.search_space, given.get("num_layers", self.search_space.num_layers)
        )
        super().reset(seed=seed)
        if run_seed is not None:
            self.run_seed = check_seed(run_seed)
        self._num_layers = depth
        self._length = self.search_space.length(depth)
        self._position = 0
        self._written[:] = 0
        self._set_mask(0)
        return self._observe(), {"action_mask": self._mask_copy(), "num_layers": depth}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Write one token; the last one trains the child.

        Raises:
            InvalidTokenError: not an integer, out of range, or masked out.
            ResetNeededError: no episode is running.
        """
        position = self._position
        self._tokens[position] = self._check_token(action)
        if position + 1 == self._length:
            evaluation = self._evaluate()
            return self._finish(evaluation, self._worth.of(evaluation))
        self._written[position] = self._tokens[position] + 1
        self._position = position + 1
        self._set_mask(position + 1)
        return self._observe(), 0.0, False, False, {"action_mask": self._mask_copy()}

    def action_masks(self) -> NDArray[np.bool_]:
        """(actions,) bool: which tokens are valid next (the name sb3-contrib looks for)."""
        return self._mask.copy()

    def render(self) -> str | Pixels | None:
        """Draw what is written so far.

        Returns:
            Text (``ansi``), pixels (``rgb_array``): (height, width, 3) uint8, or None: printed
            (``human``).
        """
        if self.render_mode is None:
            gym.logger.warn(NO_RENDER_MODE)
            return None
        if self.render_mode == "rgb_array":
            return self._frame()
        drawing = self._draw()
        if self.render_mode == "ansi":
            return drawing
        print(drawing)
        return None

    def close(self) -> None:
        """Close the evaluator: workers stop, files are released."""
        self.evaluator.close()

    def _check_token(self, action: Any) -> int:
        if self._position >= self._length:
            raise ResetNeededError("No episode is running: call reset() before step().")
        try:
            token = operator.index(action)
        except TypeError:
            raise InvalidTokenError(f"A token is an integer, got {action!r}.") from None
        if not (0 <= token < len(self._mask) and self._mask[token]):
            message = self.search_space.describe_invalid(self._position, token, self._mask)
            raise InvalidTokenError(message)
        return token

    def _evaluate(self) -> Evaluation:
        architecture = self._decode(self._tokens[: self._length].tolist())
        return self.evaluator.evaluate([architecture], self.run_seed)[0]

    def _finish(
        self, evaluation: Evaluation, reward: float
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        self._written[self._position] = self._tokens[self._position] + 1
        self._position += 1
        self.evaluation = evaluation
        self._set_mask(0)
        missing = self._worth.missing(evaluation)
        info = terminal_info(evaluation, self.metric_name, missing)
        info["action_mask"] = self._mask_copy()
        if self.render_mode == "human":
            print(self._draw())
        return self._observe(), reward, True, False, info

    def _set_mask(self, position: int) -> None:
        self._mask_position = position
        self._mask = self._masks.one(self._tokens, position)  # (actions,) bool
        self.action_space.valid = self._mask

    def _mask_copy(self) -> NDArray[np.int8]:
        return self._masks.int8(self._mask, self._mask_position)

    def _observe(self) -> Observation:
        return {
            "tokens": self._written.copy(),
            "position": np.int64(self._position),
            "remaining": np.int64(max(self._length - self._position, 0)),
            "action_mask": self._mask_copy(),
        }

    def _draw(self) -> str:
        tokens = self._tokens[: self._position].tolist()
        drawing = draw_tokens(self.search_space, tokens, self._num_layers)
        return f"{drawing}\n{self._outcome()}".rstrip("\n")

    def _frame(self) -> Pixels:
        from nas_env.tasks.drawing import draw_tokens_figure  # nobody else needs Pillow

        tokens = self._tokens[: self._position].tolist()
        outcome = self._outcome()
        return draw_tokens_figure(self.search_space, tokens, self._num_layers, outcome).array()

    def _outcome(self) -> str:
        """What the child of a finished episode was worth; ``""`` while it is being written."""
        if self.evaluation is None or self._position < self._length:
            return ""
        return outcome_text(self.evaluation, self.reward)
