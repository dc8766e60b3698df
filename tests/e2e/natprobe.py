# SPDX-License-Identifier: MIT
"""What kind of NAT is in the way, by RFC 5780: a server with two addresses and two ports, and a client that asks it.

    python3 natprobe.py server ADDRESS ADDRESS      four sockets; says "ready", then answers
    python3 natprobe.py client ADDRESS ADDRESS      prints {"mapping": ..., "filtering": ..., "seen": [...], ...}
    python3 natprobe.py behind ADDRESS ADDRESS      a mapped socket: prints what the server saw, echoes what comes

mapping is "none" (what the server saw is the own address), "independent" or "dependent" (of whom it talks to);
filtering is "independent" (everybody gets in), "address" or "port" (only who was talked to).
"""

import json
import select
import socket
import sys

PORTS = (3478, 3479)


def bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.bind((address, port))
    return bound


def server(first: str, second: str) -> None:
    """A datagram's text is the number of the socket that is to answer with what it saw."""
    sockets = [bind(address, port) for address in (first, second) for port in PORTS]
    print("ready", flush=True)
    while True:
        for ready in select.select(sockets, [], [])[0]:
            text, peer = ready.recvfrom(2000)
            sockets[int(text)].sendto(json.dumps([int(text), *peer[:2]]).encode(), peer)


def ask(mine: socket.socket, questions: list) -> list:
    """Questions are (target, number of the socket that is to answer); what those saw, None where none came."""
    seen = {}
    for _ in range(3):
        for target, number in questions:
            if number not in seen:
                mine.sendto(str(number).encode(), target)
        while len(seen) < len(questions) and select.select([mine], [], [], 0.12)[0]:
            number, *address = json.loads(mine.recv(2000))
            seen[number] = tuple(address)
    return [seen.get(number) for _, number in questions]


def client(first: str, second: str) -> None:
    mine = bind("::" if ":" in first else "0.0.0.0", 0)
    targets = [(address, port) for address in (first, second) for port in PORTS]
    # Filtering first: afterwards all four were talked to. Those that did not get in have knocked by then, which must
    # not change the mapping, as it would with a Linux whose firewall lets strangers come as far as the router itself.
    _, port, *address = ask(mine, [(targets[0], number) for number in range(4)])
    filtering = "independent" if any(address) else "address" if port else "port"
    mapped = ask(mine, [(target, number) for number, target in enumerate(targets)])
    with socket.socket(mine.family, socket.SOCK_DGRAM) as way:
        way.connect(targets[0])
        own = way.getsockname()[0], mine.getsockname()[1]
    if None in mapped:
        mapping = "lost"
    elif len(set(mapped)) > 1:
        mapping = "dependent"
    else:
        mapping = "none" if mapped[0] == own else "independent"
    print(json.dumps({"mapping": mapping, "filtering": filtering, "seen": mapped, "own": own}))


def behind(first: str, second: str) -> None:
    """Each word on standard input asks once more; what anybody sends is echoed to its sender."""
    mine = bind("::" if ":" in first else "0.0.0.0", 0)
    question = [((first, PORTS[0]), 0)]
    print(json.dumps(ask(mine, question)[0]), flush=True)
    while True:
        for ready in select.select([mine, sys.stdin], [], [])[0]:
            if ready is sys.stdin:
                if not sys.stdin.readline():
                    return
                print(json.dumps(ask(mine, question)[0]), flush=True)
            else:
                mine.sendto(*mine.recvfrom(2000))


if __name__ == "__main__":
    {"server": server, "client": client, "behind": behind}[sys.argv[1]](*sys.argv[2:])
