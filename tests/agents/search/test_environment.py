"""Which environment a search opens, and what its configuration says of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import agents
import nas_env
from agents.search.environment import (
    describe_environment,
    find_spec,
    open_environment,
    our_ids,
    pinned_numerics,
)
from nas_env.errors import ConfigurationError, RunFolderError
from nas_env.training import image_recipes


def test_an_id_becomes_our_vector_environment_with_its_store_beside_the_run(
    tmp_path: Path,
) -> None:
    env: Any = open_environment("NAS-Digits-v0", 4, tmp_path / "runs" / "one")
    assert env.num_envs == 4
    assert env.settings.store == str(tmp_path / "runs" / "store.sqlite")
    assert env.settings.evaluator == "process"
    env.close()


def test_without_a_run_folder_there_is_no_store() -> None:
    env: Any = open_environment("NAS-Digits-v0", 2)
    assert env.settings.store is None
    env.close()


def test_every_id_of_ours_can_be_opened_and_described() -> None:
    for name in our_ids():
        env = open_environment(name, 2)
        description = describe_environment(env)
        assert description["env"] == name
        json.dumps(description)
        env.close()


def test_an_id_with_a_module_imports_what_registers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = 'gym.register("Own-v0", "nas_env.envs.conv_env:ConvEnv", kwargs={"num_layers": 2})'
    (tmp_path / "own_registration.py").write_text(f"import gymnasium as gym\n{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert find_spec("own_registration:Own-v0").kwargs == {"num_layers": 2}
    finally:
        gym.registry.pop("Own-v0", None)
    with pytest.raises(ConfigurationError, match="Unknown environment: 'no_such:Own-v0'"):
        find_spec("no_such:Own-v0")


def test_where_children_are_trained_is_no_setting_of_the_search() -> None:
    env = open_environment("NAS-Digits-v0", 2, None, {"workers": 1, "num_layers": 3})
    description = describe_environment(env)
    assert description["resources"]["workers"] == 1
    assert description["environment"]["num_layers"] == 3
    assert "workers" not in description["environment"]
    env.close()


def test_a_single_environment_of_gym_make_is_described_by_its_id() -> None:
    env = gym.make("NAS-Digits-v0", evaluator=len)
    description = describe_environment(env)
    assert description["env"] == "NAS-Digits-v0"
    assert description["resources"]["evaluator"] == "len"


@pytest.mark.parametrize("env", [lambda: 3, 3, None])
def test_what_is_no_environment_is_refused(env: Any) -> None:
    with pytest.raises(ConfigurationError):
        open_environment(env, 2)


def test_importing_agents_imports_no_torch() -> None:
    code = "import agents.search.launch, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_public_names_are_there() -> None:
    for name in agents.__all__:
        assert getattr(agents, name)
    with pytest.raises(AttributeError, match="run_search"):
        agents.no_such_name  # noqa: B018
    assert Path(str(agents.__file__)).parent == Path(nas_env.__file__).parents[1] / "agents"


def test_an_environment_made_by_the_user_is_not_resumed_in_another_arithmetic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {"name": "quick", "train_images": 64, "valid_images": 50}

    def search(children: int, resume: bool, name: str = "run") -> None:
        env = gym.make("NAS-Digits-v0", recipe=tiny, num_layers=1)
        agents.run_search(env, "random", children, 1, run_dir=tmp_path / name, resume=resume)

    monkeypatch.setattr(image_recipes, "choose_numerics", lambda device: "float32")
    with monkeypatch.context() as before:  # a version that did not write it down
        before.setattr("agents.search.search.pinned_numerics", lambda env: {})
        search(1, False, "earlier")
    search(2, True, "earlier")
    search(1, False)
    search(2, True)
    monkeypatch.setattr(image_recipes, "choose_numerics", lambda device: "bfloat16-channels_last")
    with pytest.raises(RunFolderError, match="numerics: 'float32' in the run, 'bfloat16-channels"):
        search(3, True)


def test_only_children_that_we_train_have_an_arithmetic() -> None:
    own = gym.make("NAS-Digits-v0", evaluator=lambda architecture, seed: 0.5)
    assert pinned_numerics(own) == pinned_numerics(gym.make("NAS-Digits-Table-v0")) == {}
    plain = gym.make("NAS-PyDocs-v0", recipe={"name": "quick", "numerics": "float32"})
    assert pinned_numerics(plain) == {"numerics": "float32"}
