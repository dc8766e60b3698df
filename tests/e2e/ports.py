# SPDX-License-Identifier: MIT
"""Ports for programs that must be told one and listen on it later.

A port that was free a moment ago may be anybody's by then: the kernel gives it to whoever asks for any, and another
process that runs tests may be told the same. So these are none that the kernel gives away, and each process has a block
of its own: the one whose name it holds among the abstract sockets, which are those of the network that the ports are of.
"""

import functools
import itertools
import pathlib
import socket

BLOCK = 200
BLOCKS = range(10_000, 65_000, BLOCK)


def is_given_away(block: int) -> bool:
    """Whether the kernel chooses from it (ip(7), ip_local_port_range)."""
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    return block <= high and low < block + BLOCK


@functools.cache
def own():
    """(Who holds our block, its ports in turns); held until the process ends, however it does."""
    for block in BLOCKS:
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            if not is_given_away(block):
                holder.bind(f"\0berth-tests-ports-{block}")
                return holder, itertools.cycle(range(block, block + BLOCK))
        except OSError:
            pass
        holder.close()
    raise AssertionError("no ports are left for tests on this machine")


def is_free(port: int) -> bool:
    """At every address, for TCP and UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


def free_ports(count: int) -> list:
    """Ports that nobody else takes, all different, also from those of the last calls."""
    _, turns = own()
    ports = list(itertools.islice(filter(is_free, itertools.islice(turns, BLOCK)), count))
    assert len(ports) == count, f"{count} of {BLOCK} ports are not free"
    return ports
