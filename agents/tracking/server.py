"""Whether a wandb server is to be used, and whether it answers: decided in seconds.

wandb itself waits for minutes for a server that is silent; a search must not.
"""

import os
import threading
from collections.abc import Callable

QUESTION = {"query": "query Viewer { viewer { id } }"}
"""What wandb, too, asks first."""


def chosen_mode() -> tuple[str, str]:
    """The mode and why: as ``WANDB_MODE`` or wandb's settings say, else by there being a key."""
    import wandb
    from requests.utils import get_netrc_auth

    settings = wandb.setup().settings
    given = {"dryrun": "offline", "run": "online"}.get(settings.mode, str(settings.mode))
    if os.environ.get("WANDB_MODE") or given != "online":
        return given, "as WANDB_MODE or wandb's settings say"
    named = [os.environ.get(f"WANDB_{name}") for name in ("API_KEY", "IDENTITY_TOKEN_FILE")]
    if any(named) or settings.api_key or get_netrc_auth(str(settings.base_url)):
        return "online", "a key is set up"
    return "offline", "no account is set up here: wandb login"


def server_url() -> str:
    """Address of the server that wandb is set up for."""
    import wandb

    return str(wandb.setup().settings.base_url).rstrip("/")


def silence(url: str, wait_s: float) -> str:
    """Why the server at ``url`` cannot be used; ``""`` if it gives any answer within ``wait_s``.

    An answer that refuses us is one: wandb then says better than we could what is wrong.
    """
    import requests

    try:
        answered = within(
            wait_s, lambda: requests.post(f"{url}/graphql", json=QUESTION, timeout=wait_s)
        )
    except requests.exceptions.SSLError:  # wandb may know the certificate
        return ""
    except requests.exceptions.Timeout:
        answered = False
    except (requests.exceptions.RequestException, ValueError) as error:  # or no address
        cause = error.args[0] if error.args else error
        return f"{url}: {getattr(cause, 'reason', cause)}"
    return "" if answered else f"{url} does not answer within {wait_s:g} s"


def within(wait_s: float, call: Callable[[], object]) -> bool:
    """Call, and wait so long and no longer; a call that takes longer is left behind.

    Returns:
        Whether it is done.

    Raises:
        Exception: what ``call`` raises.
    """
    raised: list[Exception] = []

    def guarded() -> None:
        try:
            call()
        except Exception as error:  # raised where it is waited for
            raised.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(wait_s)
    if raised:
        raise raised[0]
    return not thread.is_alive()
