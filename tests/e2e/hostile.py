# SPDX-License-Identifier: MIT
"""A relay that means ill: it stands before a real one, and treats what passes between its users as it is told.

    python3 hostile.py ADDRESS PORT RELAY_PORT RELAY_KEY      says "ready", then reads lines

What an honest relay needs (the control connections, whose ids begin with the relay's own tag) passes. Of all else each
packet, with the share that a line says, is one of:

    drop     lost                           corrupt  one bit of it is another one
    replay   sent again, now and much later truncate cut short
    reorder  held back behind others        swap     sent to another user as well, under a tag of his
    reset    followed by a false stateless reset for whom it is for

`drop=0.02 swap=0.1` sets shares, `stats` prints how often each was done, as JSON, and whether "MARKER" was ever seen in
the clear. The user's address is ours for the relay, so that it lies about what addresses it sees, too.
"""

import base64
import collections
import hashlib
import json
import os
import random
import select
import socket
import sys

KINDS = ("drop", "replay", "reorder", "corrupt", "truncate", "swap", "reset")
MEMORY = 2000
MARKER = b"MARKER"


def tag_of(packet: bytes) -> bytes:
    """The first eight bytes of the id that a packet is for."""
    return packet[6:14] if packet[0] & 0x80 else packet[1:9]


def retag(packet: bytes, tag: bytes) -> bytes:
    at = 6 if packet[0] & 0x80 else 1
    return packet[:at] + tag + packet[at + 8:]


class Hostile:
    def __init__(self, address: str, port: int, relay_port: int, relay_key: str):
        self.front = bound(address, port)
        self.relay = ("127.0.0.1", relay_port)
        self.own = hashlib.sha256(b"berth tag" + base64.b64decode(relay_key)).digest()[:8]
        self.backs, self.peers = {}, {}  # a user's address -> our socket to the relay, and the other way round
        self.tags = {}  # what packets for a user begin with -> his address, as far as was seen
        self.shares = dict.fromkeys(KINDS, 0.0)
        self.counts = collections.Counter()
        self.old, self.held = collections.deque(maxlen=MEMORY), []

    def run(self) -> None:
        print("ready", flush=True)
        while True:
            ready = select.select([self.front, sys.stdin, *self.peers], [], [], 0.01)[0]
            for each in ready:
                if each is sys.stdin:
                    if not self.obey(sys.stdin.readline()):
                        return
                else:
                    self.receive(each)
            if not ready:
                self.release()

    def obey(self, line: str) -> bool:
        if line.strip() == "stats":
            print(json.dumps(self.counts), flush=True)
        elif line:
            self.shares.update((name, float(share)) for name, share in (word.split("=") for word in line.split()))
            print("ok", flush=True)
        return bool(line)

    def receive(self, ready: socket.socket) -> None:
        for _ in range(64):
            try:
                packet, user = ready.recvfrom(65536, socket.MSG_DONTWAIT)
            except OSError:
                return
            if MARKER in packet:
                self.counts["marker"] += 1
            if ready is self.front:
                self.up(packet, user)
            else:
                self.down(packet, self.peers[ready])

    def up(self, packet: bytes, user: tuple) -> None:
        """From a user: nothing is done to it here, what leaves the relay is enough."""
        if user not in self.backs:
            self.backs[user] = bound("127.0.0.1", 0)
            self.backs[user].connect(self.relay)
            self.peers[self.backs[user]] = user
        try:
            self.backs[user].send(packet)
        except OSError:
            pass

    def down(self, packet: bytes, user: tuple) -> None:
        """From the relay: control connections have ids of their users' making, which no packet of a user's bears."""
        if len(packet) < 21 or packet[0] < 64 or not self.is_between_users(packet, user):
            self.send(packet, user)
            return
        for kind in KINDS:
            if random.random() < self.shares[kind]:
                self.counts[kind] += 1
                getattr(self, kind)(packet, user)
                break
        else:
            self.send(packet, user)
            self.release()
        self.old.append((packet, user))

    def is_between_users(self, packet: bytes, user: tuple) -> bool:
        """Long packets of a control connection bear the relay's tag as their source's; short ones nothing known.

        All ids that no such packet was for are between users.
        """
        if packet[0] & 0x80:
            source = packet[7 + packet[5]:15 + packet[5]]
            if source == self.own:
                self.tags[tag_of(packet)] = None
        is_control = tag_of(packet) in self.tags and self.tags[tag_of(packet)] is None
        if not is_control:
            self.tags[tag_of(packet)] = user
        return not is_control

    def send(self, packet: bytes, user: tuple) -> None:
        try:
            self.front.sendto(packet, user)
        except OSError:
            pass

    def release(self) -> None:
        if len(self.held) > 20 or (self.held and random.random() < 0.1):
            self.send(*self.held.pop(random.randrange(len(self.held))))

    def drop(self, packet: bytes, user: tuple) -> None:
        pass

    def replay(self, packet: bytes, user: tuple) -> None:
        for each in (packet, user), (packet, user), *(random.sample(self.old, 1) if self.old else ()):
            self.send(*each)

    def reorder(self, packet: bytes, user: tuple) -> None:
        self.held.append((packet, user))

    def corrupt(self, packet: bytes, user: tuple) -> None:
        at = random.randrange(len(packet))
        self.send(packet[:at] + bytes([packet[at] ^ 1 << random.randrange(8)]) + packet[at + 1:], user)

    def truncate(self, packet: bytes, user: tuple) -> None:
        self.send(packet[:random.randrange(1, len(packet))], user)

    def swap(self, packet: bytes, user: tuple) -> None:
        self.send(packet, user)
        others = [(tag, other) for tag, other in self.tags.items() if other not in (None, user)]
        if others:
            tag, other = random.choice(others)
            self.send(retag(packet, tag), other)
            self.send(packet, other)

    def reset(self, packet: bytes, user: tuple) -> None:
        self.send(packet, user)
        self.send(bytes([0x40 | random.randrange(64)]) + tag_of(packet) + os.urandom(40), user)


def bound(address: str, port: int) -> socket.socket:
    mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in socket.SO_RCVBUF, socket.SO_SNDBUF:
        mine.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
    mine.bind((address, port))
    return mine


if __name__ == "__main__":
    Hostile(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]).run()
