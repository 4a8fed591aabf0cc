"""Whether the page can be served at an address, found out without loading what serves it."""

from __future__ import annotations

import os
import socket

from crossdiff.errors import InputError


def check_address(host: str, port: int) -> None:
    """Raise InputError if the port is in use, or the host is not an address of this machine."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as tried:
            if os.name == "posix":  # a page that has just ended does not block its port
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except (OSError, UnicodeError) as error:
        raise cannot_serve(host, port, error) from None


def cannot_serve(host: str, port: int, error: Exception) -> InputError:
    return InputError(f"{host}:{port}: cannot be served ({error}); choose another --port or --host")
