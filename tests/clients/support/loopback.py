"""Keeps a client from speaking with anybody but this machine: a connection elsewhere fails, and is remembered.

    from loopback import strangers  # before what it is to watch
"""

import sys

strangers = []


def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "127.0.0.1", "::1", "localhost"):
        strangers.append(host)
        raise ConnectionError(f"no connection to {host} is allowed here")


sys.addaudithook(watch)
