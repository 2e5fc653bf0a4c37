"""Train one language model; the same as `nas-env language-model`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.language_model:main")
