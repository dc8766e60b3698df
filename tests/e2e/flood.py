# SPDX-License-Identifier: MIT
"""Strangers without keys: bounded floods of one sort each, at a server's UDP or TCP port.

    python3 flood.py KIND ADDRESS PORT COUNT [FILE [TAG]]     prints how many it sent

FILE has a client's recorded first datagrams, as JSON of hex. Connection ids begin with TAG, in hex: a relay looks at
nothing else. KIND is one of:

    garbage     random bytes of random length
    short       packets of connections that nobody has
    versions    long packets of an unknown version, which ask for a list of versions
    initials    first packets of so many clients, each with a connection id and a port of its own
    streams     TCP connections that say half a request and stay
"""

import json
import os
import random
import socket
import sys
import time

SOCKETS = 200


def garbage(_: bytes) -> bytes:
    return os.urandom(random.randrange(1, 1400))


def connection_id(tag: bytes) -> bytes:
    return tag + os.urandom(16 - len(tag))


def short(tag: bytes) -> bytes:
    return bytes([0x40 | random.randrange(64)]) + connection_id(tag) + os.urandom(random.randrange(5, 1300))


def versions(tag: bytes) -> bytes:
    return bytes([0xc0]) + b"\x0a\x1a\x2a\x3a\x10" + connection_id(tag) + b"\x08" + os.urandom(8) + os.urandom(1200)


def datagrams(kind: str, path: str, tag: bytes):
    if kind != "initials":
        make = {"garbage": garbage, "short": short, "versions": versions}[kind]
        while True:
            yield [make(tag)]
    import initials
    with open(path, encoding="utf-8") as file:
        hello = initials.crypto_of([bytes.fromhex(text) for text in json.load(file)])
    while True:
        yield initials.flight(connection_id(tag), hello)


def flood_udp(target: tuple, count: int, source) -> int:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    sent = 0
    while sent < count:
        mine = sockets[sent % SOCKETS]
        for datagram in next(source):
            try:
                mine.sendto(datagram, target)
            except OSError:  # an ICMP message, or a full queue
                time.sleep(0.001)
            sent += 1
    return sent


def flood_tcp(target: tuple, count: int) -> int:
    held = []
    for number in range(count):
        mine = socket.socket()
        mine.settimeout(1)
        try:
            mine.connect(target)
            # The beginning of a TLS record that promises more, or of anything else.
            mine.sendall(b"\x16\x03\x01\x40\x00\x01" + os.urandom(100) if number % 2 else os.urandom(500))
            held.append(mine)
        except OSError:
            mine.close()
    print(len(held), flush=True)
    sys.stdin.read()  # they stay until we may go
    return len(held)


def main(kind: str, address: str, port: str, count: str, path="", tag="") -> None:
    target = address, int(port)
    if kind == "streams":
        flood_tcp(target, int(count))
    else:
        print(flood_udp(target, int(count), datagrams(kind, path, bytes.fromhex(tag))))


if __name__ == "__main__":
    main(*sys.argv[1:])
