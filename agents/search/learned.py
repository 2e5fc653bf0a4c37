"""What a search is about to learn: refused where that is the opposite of what is wanted."""

from typing import Any

from agents.search.play import AnyEnv
from nas_env.errors import ConfigurationError
from nas_env.evaluation.reward import identity


def check_reward(env: AnyEnv) -> None:
    """Refuse to search for the highest perplexity.

    Raises:
        ConfigurationError: the reward is the perplexity itself.
    """
    inner: Any = env.unwrapped
    metric_name = getattr(inner, "metric_name", "metric")
    if metric_name == "perplexity" and getattr(inner, "reward", None) is identity:
        raise ConfigurationError(
            "The reward is the perplexity itself, and a search looks for the highest reward, which "
            "is the worst perplexity. Give the environment a reward that falls with it: "
            "reward='inverse_square_perplexity' (80 / perplexity^2, the paper's), or a function."
        )
