"""Messages between the parent and its worker processes, over the worker's stdin and stdout.

A message is a name and one bytes payload, framed by their lengths, so that nothing has to be
unpickled before the worker has the parent's import path.

Parent to worker: ``path`` (JSON list), ``task``, ``prepare``, ``job`` (pickles).
Worker to parent: ``loaded``, ``ready``, ``done`` (pickled Evaluation), ``raise`` (pickled
exception and traceback).
"""

import struct
from typing import BinaryIO

_HEADER = struct.Struct(">IQ")  # bytes of the name, bytes of the payload

Message = tuple[str, bytes]


def write_message(stream: BinaryIO, name: str, payload: bytes = b"") -> None:
    """Send one message.

    Raises:
        OSError: the other side is gone.
    """
    encoded = name.encode()
    stream.write(_HEADER.pack(len(encoded), len(payload)) + encoded + payload)
    stream.flush()


def read_message(stream: BinaryIO) -> Message | None:
    """The next message; None when the other side is gone, in the middle of a message too."""
    header = _read(stream, _HEADER.size)
    if header is None:
        return None
    name_size, payload_size = _HEADER.unpack(header)
    name, payload = _read(stream, name_size), _read(stream, payload_size)
    return None if name is None or payload is None else (name.decode(), payload)


def _read(stream: BinaryIO, size: int) -> bytes | None:
    data = stream.read(size)
    return data if len(data) == size else None
