"""An environment whose children are trained by a task: keyword arguments -> environment.

A family of ids subclasses both classes, naming its settings; everything else is shared.
"""

from typing import Any, ClassVar

from gymnasium.vector import AutoresetMode

from nas_env.envs.architecture_env import ArchitectureEnv
from nas_env.envs.settings import ChildSettings
from nas_env.envs.vector_env import ArchitectureVectorEnv


class TaskEnv(ArchitectureEnv):
    """`ArchitectureEnv` made from keyword arguments.

    Attributes:
        settings_type: the family's keyword arguments.
        settings: those of this environment.
    """

    settings_type: ClassVar[type[ChildSettings]]

    def __init__(self, *, render_mode: str | None = None, **arguments: Any) -> None:
        self.settings = self.settings_type.of(arguments)
        super().__init__(
            self.settings.search_space(),
            self.settings.evaluator_or_callable(),
            self.settings.reward_function(),
            render_mode=render_mode,
            metric_name=self.settings.metric_name,
            failure_reward=self.settings.failure_reward,
        )


class TaskVectorEnv(ArchitectureVectorEnv):
    """`TaskEnv` for `gym.make_vec`: `num_envs` episodes, their children trained at the same time.

    Keyword arguments are those of the single environment, except that children train in worker
    processes unless told otherwise (`evaluator="process"`, `workers` = sub-environments or cores,
    the fewer), and those of `ArchitectureVectorEnv`: `autoreset_mode`, `max_episode_steps`.
    """

    settings_type: ClassVar[type[ChildSettings]]

    def __init__(
        self,
        num_envs: int = 1,
        *,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        **arguments: Any,
    ) -> None:
        self.settings = self.settings_type.of(arguments).for_batches(num_envs)
        super().__init__(
            self.settings.search_space(),
            self.settings.evaluator_or_callable(),
            self.settings.reward_function(),
            num_envs=num_envs,
            render_mode=render_mode,
            metric_name=self.settings.metric_name,
            failure_reward=self.settings.failure_reward,
            autoreset_mode=autoreset_mode,
            max_episode_steps=max_episode_steps,
        )
