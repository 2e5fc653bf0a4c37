"""What a plain Stable-Baselines3 script needs to play our environments, children side by side.

``ArchitectureVecEnv`` is our vector environment with SB3's interface: SB3 has no adapter for
Gymnasium's, and its ``DummyVecEnv`` of our single environments trains one child after another.
``scripts/examples/sb3_side_by_side.py`` shows it at work.
"""

import time
from collections.abc import Sequence
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.torch_layers import CombinedExtractor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from baselines.any_token import nth_valid
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.errors import ConfigurationError

Observations = dict[str, NDArray[Any]]


class ArchitectureVecEnv(VecEnv):
    """An ``ArchitectureVectorEnv`` with SB3's interface.

        env = ArchitectureVecEnv.make("NAS-Digits-v0", num_envs=8)
        MaskablePPO("MultiInputPolicy", env, n_steps=33, gamma=1.0).learn(8 * 33 * 16)

    What SB3 gets is what ``DummyVecEnv`` of monitored single environments would give it, with these
    differences: the children of a step train at the same time; all sub-environments share one run
    seed, the one given to ``seed`` (``DummyVecEnv`` counts it up, and so trains one architecture
    with several seeds); the depth given to ``set_options`` stays until the next ``reset``, not for
    one episode only; and an attribute is the same one for all.

    SB3 does not know of episodes without a reward (``info["reward_missing"]``): it learns from the
    number that stands there, that of a failed child. Give the environment ``failure_reward``, no
    higher than any reward. Where ``agents.run_search`` plays an agent of ``baselines``, episodes
    for which the machine is to blame are left out.

    Args:
        env: a vector environment with autoreset mode ``SAME_STEP``, as SB3 needs it.
        invalid_tokens: ``"error"``: a masked-out token raises ``InvalidTokenError``, as everywhere;
            for ``MaskablePPO``. ``"modulo"``: action a plays the (a mod n)-th of the n valid
            tokens, so that algorithms without masks can play; each token of a position with fewer
            options than actions then has several names.

    Raises:
        ConfigurationError: another environment, another autoreset mode.
    """

    def __init__(
        self,
        env: ArchitectureVectorEnv,
        *,
        invalid_tokens: Literal["error", "modulo"] = "error",
    ) -> None:
        if not isinstance(env, ArchitectureVectorEnv):
            raise ConfigurationError(
                f"ArchitectureVecEnv wraps an ArchitectureVectorEnv, got {env!r}: use "
                "gym.make_vec(ID, num_envs=N, autoreset_mode='SAME_STEP'), or for environments "
                "that are not ours SB3's DummyVecEnv."
            )
        if env.autoreset_mode != AutoresetMode.SAME_STEP:
            raise ConfigurationError(
                f"The environment's autoreset mode is {env.autoreset_mode.name}; SB3 needs "
                "SAME_STEP: make it with autoreset_mode='SAME_STEP'."
            )
        if invalid_tokens not in ("error", "modulo"):
            raise ConfigurationError(
                f"invalid_tokens is {invalid_tokens!r}; allowed: 'error', 'modulo'."
            )
        self.env = env
        self.invalid_tokens = invalid_tokens
        self._actions = np.zeros(env.num_envs, np.int64)
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, np.int64)
        self._started = time.time()
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    @classmethod
    def make(
        cls,
        env_id: str,
        num_envs: int = 8,
        *,
        invalid_tokens: Literal["error", "modulo"] = "error",
        **arguments: Any,
    ) -> "ArchitectureVecEnv":
        """From an id of ours; ``arguments`` are those of ``gym.make``."""
        mode = AutoresetMode.SAME_STEP
        made: Any = gym.make_vec(env_id, num_envs=num_envs, autoreset_mode=mode, **arguments)
        return cls(made, invalid_tokens=invalid_tokens)

    def reset(self) -> Observations:
        """Start all episodes, with the seed and options given to ``seed`` and ``set_options``."""
        options: dict[str, Any] = {}
        if any(self._options):
            own = self.env.search_space.num_layers
            options = {"num_layers": [given.get("num_layers", own) for given in self._options]}
            self._check_options()
        observations, infos = self.env.reset(seed=self._seeds[0], options=options)
        self.reset_infos = [self._row(infos, row) for row in range(self.num_envs)]
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep the actions until ``step_wait``."""
        self._actions = np.asarray(actions, np.int64).reshape(-1)

    def step_wait(self) -> VecEnvStepReturn:
        """Play them. Rows whose episode ended return the first observation of the next one."""
        tokens = self._actions
        if self.invalid_tokens == "modulo":
            tokens = nth_valid(tokens, self.env.action_masks())
        observations, rewards, terminated, truncated, infos = self.env.step(tokens)
        dones = terminated | truncated
        self._returns += rewards
        self._lengths += 1
        rows: list[dict[str, Any]] = []
        for row in range(self.num_envs):
            info = self._end(infos, row) if dones[row] else self._row(infos, row)
            # Monitored and time-limited environments give SB3 these two.
            info["TimeLimit.truncated"] = bool(truncated[row] and not terminated[row])
            rows.append(info)
        self._returns[dones] = 0.0
        self._lengths[dones] = 0
        return observations, rewards.astype(np.float32), dones, rows

    def close(self) -> None:
        """Close the environment: workers stop."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute, once per sub-environment."""
        return [getattr(self.env, attr_name) for _ in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of all sub-environments: they share it.

        Raises:
            ConfigurationError: only some are named.
        """
        if len(self._rows(indices)) != self.num_envs:
            raise ConfigurationError(
                f"Sub-environments share {attr_name!r}: set it for all of them (indices=None)."
            )
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """What a method gives, once per sub-environment; ``action_masks`` for MaskablePPO."""
        results = self.env.call(method_name, *method_args, **kwargs)
        return [results[row] for row in self._rows(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """True for ``Monitor``, whose ``info["episode"]`` is given; there are no wrappers."""
        return [wrapper_class is Monitor for _ in self._rows(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture of each architecture, where the render mode is ``rgb_array``."""
        drawn: Any = self.env.render() if self.render_mode == "rgb_array" else None
        return [None] * self.num_envs if drawn is None else list(drawn)

    def _end(self, infos: dict[str, Any], row: int) -> dict[str, Any]:
        """The info of a row whose episode ended in this step."""
        return {
            **self._row(infos["final_info"], row),
            "terminal_observation": infos["final_obs"][row],
            "episode": {
                "r": round(float(self._returns[row]), 6),
                "l": int(self._lengths[row]),
                "t": round(time.time() - self._started, 6),
            },
        }

    def _row(self, infos: dict[str, Any], row: int) -> dict[str, Any]:
        """One row of a vector environment's infos, without those of ended episodes."""
        keys = [k for k in infos if f"_{k}" in infos and not k.startswith("final_")]
        return {key: _plain(infos[key][row]) for key in keys if infos[f"_{key}"][row]}

    def _rows(self, indices: VecEnvIndices) -> list[int]:
        return list(self._get_indices(indices))

    def _check_options(self) -> None:
        unknown = sorted({name for given in self._options for name in given} - {"num_layers"})
        if unknown:
            raise ConfigurationError(f"Unknown reset options {unknown}; allowed: num_layers.")


class IntegerCombinedExtractor(CombinedExtractor):
    """``CombinedExtractor`` whose ``features_dim`` is an ``int``.

    SB3 adds up ``MultiDiscrete.nvec`` (``get_flattened_obs_dim``), so the sum is an ``np.int64``.
    ``nn.Linear`` takes that; ``nn.LSTM`` of torch 2.14 raises ``TypeError`` for an input size that
    is no ``int``. So RecurrentPPO on our environments needs

        policy_kwargs={"features_extractor_class": IntegerCombinedExtractor}

    and nothing else: what the extractor computes is unchanged.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        cnn_output_dim: int = 256,
        normalized_image: bool = False,
    ) -> None:
        super().__init__(observation_space, cnn_output_dim, normalized_image)
        self._features_dim = int(self._features_dim)


def _plain(value: Any) -> Any:
    """A number as the single environment gives it; arrays are copied."""
    if isinstance(value, np.ndarray):
        return value.copy()
    return value.item() if isinstance(value, np.generic) else value
