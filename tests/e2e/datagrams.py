# SPDX-License-Identifier: MIT
"""A thread between clients and a UDP server on loopback, that delays, drops and records datagrams."""

import heapq
import select
import socket
import threading
import time


class Between(threading.Thread):
    """Clients talk to `address`. Set `up_delay`, `down_delay` (seconds), `up`, `down` (whether they pass) any time."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.server = ("127.0.0.1", port)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.front.getsockname()[1]
        self.up = self.down = True
        self.up_delay = self.down_delay = 0.0
        self.recorded = []  # of the clients, in order
        self.answers = 0
        self._first = None  # the answers of one client, see treat_next()
        self._backs = {}
        self._queue = []
        self._count = 0
        self._over = False
        self.start()

    def treat_next(self, answers) -> None:
        """What becomes of the answers to the next client: a function of their number gives a delay, or None for lost."""
        self._known, self._treated, self._first = len(self._backs), 0, answers

    def _later(self, delay, send, *arguments):
        self._count += 1
        heapq.heappush(self._queue, (time.monotonic() + delay, self._count, send, arguments))

    def _receive(self, ready):
        try:
            data, peer = ready.recvfrom(65536)
        except OSError:  # an ICMP message
            return
        if ready is self.front:
            self.recorded.append(data)
            if peer not in self._backs:
                self._backs[peer] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self._backs[peer].connect(self.server)
            if self.up:
                self._later(self.up_delay, self._backs[peer].send, data)
        else:
            self.answers += 1
            client = next(peer for peer, back in self._backs.items() if back is ready)
            delay = self.down_delay
            if self._first and client == next(iter(list(self._backs)[self._known:])):
                delay = self._first(self._treated)
                self._treated += 1
            if self.down and delay is not None:
                self._later(delay, self.front.sendto, data, client)

    def run(self):
        while not self._over:
            wait = max(0, self._queue[0][0] - time.monotonic()) if self._queue else 0.1
            for ready in select.select([self.front, *self._backs.values()], [], [], min(wait, 0.1))[0]:
                self._receive(ready)
            while self._queue and self._queue[0][0] <= time.monotonic():
                *_, send, arguments = heapq.heappop(self._queue)
                try:
                    send(*arguments)
                except OSError:
                    pass

    def stop(self):
        self._over = True
        self.join()
        for each in [self.front, *self._backs.values()]:
            each.close()
