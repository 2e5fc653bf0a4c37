"""Whether a wandb server is to be used, and whether it answers: decided in seconds.

wandb itself waits for minutes for a server that is silent; a search must not.
"""

import contextlib
import http.client
import json
import netrc
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

QUESTION = json.dumps({"query": "query Viewer { viewer { id } }"}).encode()
"""What wandb, too, asks first."""


def chosen_mode() -> tuple[str, str]:
    """The mode and why: as ``WANDB_MODE`` or wandb's settings say, else by there being a key."""
    import wandb

    settings = wandb.setup().settings
    given = {"dryrun": "offline", "run": "online"}.get(settings.mode, str(settings.mode))
    if os.environ.get("WANDB_MODE") or given != "online":
        return given, "as WANDB_MODE or wandb's settings say"
    if _has_key(settings):
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
    late = f"{url} does not answer within {wait_s:g} s"
    found: list[str] = []
    try:
        return found[0] if within(wait_s, lambda: found.append(_ask(url, wait_s))) else late
    except TimeoutError:
        return late


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


def _ask(url: str, wait_s: float) -> str:
    """As ``silence``, but with a limit on each step of the connection, not on all together.

    Raises:
        TimeoutError: a step took too long.
    """
    headers = {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(f"{url}/graphql", QUESTION, headers)
        with urllib.request.urlopen(request, timeout=wait_s):
            return ""
    except urllib.error.HTTPError:
        return ""
    except OSError as error:  # URLError is one
        cause = getattr(error, "reason", error)
        if isinstance(cause, TimeoutError):
            raise cause from error
        if isinstance(cause, ssl.SSLError):  # wandb may know the certificate
            return ""
        return f"{url}: {cause}"
    except (ValueError, http.client.HTTPException) as error:  # no address, or no web server
        return f"{url}: {error!r}"


def _has_key(settings: Any) -> bool:
    """Whether a key is in the environment, wandb's settings or ~/.netrc."""
    given = (os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"))
    if any(given) or getattr(settings, "api_key", None):
        return True
    host = urlsplit(str(settings.base_url)).hostname or ""
    names = [os.environ.get("NETRC", ""), "~/.netrc", "~/_netrc"]
    for path in (Path(name).expanduser() for name in names if name):
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            if netrc.netrc(str(path)).authenticators(host):
                return True
    return False
