"""Messages between the parent and its worker processes, over the worker's stdin and stdout.

A message is a name and one bytes payload, framed by their lengths, so that nothing has to be
unpickled before the worker has the parent's import path. It also tells which process wrote it and
which job it is about, so that no answer is taken for another's: a child may have forked, and the
fork holds the same pipe.

Parent to worker: ``path`` (JSON list), ``task``, ``prepare``, ``job`` (pickles).
Worker to parent: ``loaded``, ``ready``, ``done`` (pickled Evaluation), ``raise`` (pickled
exception and traceback).
"""

import os
import struct
from typing import BinaryIO, NamedTuple

_HEADER = struct.Struct(">IQQQ")  # bytes of the name, bytes of the payload, job, sender


class Message(NamedTuple):
    """One message.

    Attributes:
        name: what it is.
        payload: what it says.
        job: number of the job that it is about, 0 for none.
        sender: process id of the writer.
    """

    name: str
    payload: bytes = b""
    job: int = 0
    sender: int = 0


def write_message(stream: BinaryIO, name: str, payload: bytes = b"", job: int = 0) -> None:
    """Send one message.

    Raises:
        OSError: the other side is gone.
    """
    encoded = name.encode()
    header = _HEADER.pack(len(encoded), len(payload), job, os.getpid())
    stream.write(header + encoded + payload)
    stream.flush()


def read_message(stream: BinaryIO) -> Message | None:
    """The next message; None when the other side is gone, in the middle of a message too."""
    header = _read(stream, _HEADER.size)
    if header is None:
        return None
    name_size, payload_size, job, sender = _HEADER.unpack(header)
    name, payload = _read(stream, name_size), _read(stream, payload_size)
    if name is None or payload is None:
        return None
    return Message(name.decode(), payload, job, sender)


def _read(stream: BinaryIO, size: int) -> bytes | None:
    data = stream.read(size)
    return data if len(data) == size else None
