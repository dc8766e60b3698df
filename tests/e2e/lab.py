# SPDX-License-Identifier: MIT
"""An Internet of our own: hosts behind NATs of each kind, servers, a proxy, a login node.

    with lab.World(build_dir) as world:
        relay = world.server("relay", addresses=2)
        home, site = world.uplink("home", nat="moderate"), world.uplink("site", nat="strict")
        laptop, job = world.host("laptop", home), world.host("job", site)
        home.link.shape(delay_ms=10, loss=0.01)
        home.block_udp()
        home.rebind()

Every uplink and every server hangs by a shaped link (netns.Link) on one router, `inet`, which knows public addresses
alone. An uplink is a router with a network behind it, or several routers in a row (nat=("moderate", "moderate"): a
carrier-grade NAT). What kind of NAT it is:

    none      a public network without a filter
    easy      the mapping of a port is the same whomever it talks to, and whoever knows it may use it (full cone)
    moderate  Linux's masquerade: the same mapping for all, but only who was talked to gets in (address and port)
    strict    each peer sees another port (symmetric), and only who was talked to gets in

IPv6 has no NAT: behind every kind but none there is a filter that lets in what was talked to. test_lab.py shows with
probes that each kind is what it says. Addresses: 203.0.113.0/24 is the Internet, 198.51.100.0/24 the public networks
behind routers without NAT, 192.168.0.0/16 the private ones; 2001:db8::/32 is all of them.

The faults that a link can have are netns.Link's; those of a router are block_udp(), allow_only(), rebind(), timers()
and mtu(). Nothing outlives its World.
"""

import ipaddress
import json
import shutil

import netns
from netns import Unavailable  # noqa: F401, part of what this module gives

KINDS = ("none", "easy", "moderate", "strict")

FORWARD = """\
for each in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 >/proc/sys/net/$each; done
for each in ipv6/conf/all/accept_dad ipv6/conf/default/accept_dad; do echo 0 >/proc/sys/net/$each; done
"""

# What came from outside and was not asked for gets nowhere; in the router itself neither, else its connection tracking
# would remember a stranger's packet, and give the port that it came to away.
FILTER = """\
table inet filter {{
	chain forward {{
		type filter hook forward priority 0; policy accept;
		iifname != "{wan}" accept
		ct state established,related accept
		ct status dnat accept
		drop
	}}
	chain input {{
		type filter hook input priority 0; policy accept;
		iifname != "{wan}" accept
		ct state established,related accept
		meta l4proto icmp accept
		meta l4proto ipv6-icmp accept
		drop
	}}
}}
"""

# The rules of block_udp() and others: before connection tracking has a say, at run time.
LIMITS = """\
table inet limits {{
	chain forward {{
		type filter hook forward priority -200; policy accept;
		{rules}
	}}
}}
"""

# `seed` is the generation of the mapping: 0 keeps ports, others give them away by a function of the inner address.
SOURCE = {
    "easy": 'oifname "{wan}" masquerade',
    "moderate": 'oifname "{wan}" masquerade',
    "strict": 'oifname "{wan}" masquerade random,fully-random',
}
REBOUND = ('oifname "{wan}" meta l4proto udp snat to {address}:jhash ip saddr . udp sport '
           'mod 16384 seed {seed} offset 30000\n\t\t')

NAT = """\
table ip nat {{
	chain postrouting {{
		type nat hook postrouting priority 100;
		{source}
	}}
}}
"""

# Who has sent through a port may be reached at it. With hairpin, by its neighbours behind the same router, too.
FULL_CONE = """\
table ip cone {{
	map mapped {{
		type inet_service : ipv4_addr
		flags dynamic,timeout
		timeout 30s
	}}
	chain learn {{
		type filter hook forward priority 10;
		oifname "{wan}" meta l4proto udp update @mapped {{ udp sport : ip saddr }}
	}}
	chain prerouting {{
		type nat hook prerouting priority -100;
		{inbound}ip daddr {address} meta l4proto udp dnat to udp dport map @mapped
	}}
	chain hairpin {{
		type nat hook postrouting priority 90;
		oifname != "{wan}" ct status dnat iifname != "{wan}" snat to {address}
	}}
}}
"""


# Bytes of UDP that came in, by where from.
SEEN = """\
table ip seen {{
	set from {{
		type ipv4_addr
		size 1024
		flags dynamic
		counter
	}}
	chain forward {{
		type filter hook forward priority 20;
		iifname "{wan}" meta l4proto udp update @from {{ ip saddr counter }}
	}}
}}
"""


class Router(netns.Node):
    """One NAT. Its first interface is outside (`wan`), the others are inside."""

    def __init__(self, name: str, kind: str, hairpin: bool):
        super().__init__(name)
        self.kind, self.hairpin, self.seed = kind, hairpin, 0
        self.script(FORWARD)

    def begin(self, wan: str, address: str) -> None:
        self.wan, self.wan_address = wan, address
        self.load(LIMITS.format(rules=""))
        self.load(SEEN.format(wan=wan))
        if self.kind != "none":
            self.load(FILTER.format(wan=wan))
            self.load(self._nat())
        if self.kind == "easy":
            inbound = "" if self.hairpin else f'iifname "{wan}" '
            self.load(FULL_CONE.format(wan=wan, address=address, inbound=inbound))

    def load(self, text: str) -> None:
        self.run("nft", "-f", "-", input=text).ok()

    def _nat(self) -> str:
        source = SOURCE[self.kind].format(wan=self.wan)
        if self.seed and self.kind != "strict":
            source = REBOUND.format(wan=self.wan, address=self.wan_address, seed=self.seed) + source
        return NAT.format(source=source)

    def forget(self) -> None:
        """All mappings are gone, as when a router restarts or its timers pass."""
        self.run("conntrack", "-F").ok()

    def rebind(self) -> None:
        """Every mapping becomes another one, in one moment."""
        assert self.kind in ("moderate", "strict"), f"{self.kind}: nothing to rebind"
        self.seed += 1
        self.load("delete table ip nat\n" + self._nat())
        self.forget()

    def came_from(self, address: str) -> int:
        """Bytes of UDP that an address sent in."""
        listed = json.loads(self.run("nft", "-j", "list", "set", "ip", "seen", "from").ok().stdout)
        elements = next(each["set"] for each in listed["nftables"] if "set" in each).get("elem", [])
        return sum(each["elem"]["counter"]["bytes"] for each in elements if each["elem"]["val"] == address)

    def limit(self, *rules: str) -> None:
        self.load("delete table inet limits\n" + LIMITS.format(rules="\n\t\t".join(rules)))


class Uplink:
    """A way to the Internet: routers, outermost first, a network behind the last, and a shaped link before the first.

    link has "a" inside: "ab" is what leaves.
    """

    def __init__(self, world: "World", name: str, number: int, kinds: tuple, ipv6: bool, hairpin: bool):
        self.world, self.name, self.number, self.kinds, self.ipv6 = world, name, number, kinds, ipv6
        self.routers, self.networks = [], 0
        for index, kind in enumerate(kinds):
            router = Router(f"{name}.{index}", kind, hairpin)
            world.parts.append(router)
            if not self.routers:
                self.link, addresses = world.leg(router, number)
                router.begin(self.link.names[0], addresses[0])
            else:
                router.begin(*self.join(router)[:2])
            self.routers.append(router)

    @property
    def public(self) -> str:
        """What the Internet sees of the first host behind it."""
        if self.kinds == ("none",):
            return f"198.51.100.{8 * self.number + 2}"
        return self.routers[0].wan_address

    @property
    def router(self) -> Router:
        """The innermost."""
        return self.routers[-1]

    def join(self, node: netns.Node, default=True) -> tuple:
        """A network of its own for one more node: the node's interface, its address, the router's addresses.

        Without default the node learns of the networks behind this router alone.
        """
        outer, inner = self.world.wire(self.router, node)
        index = self.networks
        self.networks += 1
        if all(kind == "none" for kind in self.kinds):
            net = ipaddress.ip_network(f"198.51.100.{8 * self.number + 4 * index}/30")
            self.world.inet.ip("route", "add", net, "via", self.routers[0].wan_address)
            assert len(self.routers) == 1 and index < 2
        else:
            net = ipaddress.ip_network(f"192.168.{4 * self.number + index}.0/24")
        gateway, address = net[1], net[2]
        self.router.ip("address", "add", f"{gateway}/{net.prefixlen}", "dev", outer)
        targets = ["default"] if default else [f"192.168.{4 * self.number}.0/22"]
        node.script(f"ip address add {address}/{net.prefixlen} dev {inner}\n" + "\n".join(
            f"ip route add {target} via {gateway} dev {inner} metric {100 + node.interfaces}" for target in targets))
        gateways = [str(gateway)]
        if self.ipv6:
            wide = f"2001:db8:1:{16 * self.number + index:x}:"
            self.router.ip("address", "add", f"{wide}:1/64", "dev", outer, "nodad")
            node.script(f"ip address add {wide}:2/64 dev {inner} nodad\n"
                        f"ip -6 route add default via {wide}:1 dev {inner} metric {100 + node.interfaces}\n")
            self.world.inet.ip("-6", "route", "add", f"{wide}:/64", "via", f"2001:db8:0:{self.number:x}::2")
            gateways.append(f"{wide}:1")
        node.address = node.address or str(address)
        return inner, str(address), gateways

    def block_udp(self) -> None:
        """No UDP passes, and nobody is told."""
        self._limit("meta l4proto udp drop")

    def allow_only(self, address: str, port: int) -> None:
        """Nothing leaves but TCP to one port of one address."""
        self._limit(f"ip daddr {address} tcp dport {port} accept", f"ip saddr {address} tcp sport {port} accept",
                    f'oifname "{self.routers[0].wan}" drop', f'iifname "{self.routers[0].wan}" drop')

    def seal(self) -> None:
        """Nothing passes at all, neither way."""
        self._limit(f'oifname "{self.routers[0].wan}" drop', f'iifname "{self.routers[0].wan}" drop')

    def open(self) -> None:
        """Ends block_udp(), allow_only() and seal()."""
        self._limit()

    def _limit(self, *rules: str) -> None:
        self.routers[0].limit(*rules)

    def forget(self) -> None:
        for router in self.routers:
            router.forget()

    def rebind(self) -> None:
        for router in self.routers:
            router.rebind()

    def timers(self, udp: int, stream: int) -> None:
        """How many seconds a mapping of UDP lives: of one packet, and of a conversation."""
        for router in self.routers:
            router.set("netfilter/nf_conntrack_udp_timeout", udp)
            router.set("netfilter/nf_conntrack_udp_timeout_stream", stream)

    def mtu(self, size: int) -> None:
        """Of the link to the Internet, from now on, with the messages of ICMP that belong to it."""
        self.link.a.ip("link", "set", self.link.names[0], "mtu", size)
        self.link.b.ip("link", "set", self.link.names[1], "mtu", size)


class Host(netns.Node):
    """A machine behind one uplink or several. It uses the first one until use() says otherwise."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ways = {}
        self.script("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad")

    def attach(self, uplink: Uplink, default=True) -> None:
        self.ways[uplink.name] = uplink.join(self, default)

    def leave(self, uplink: Uplink) -> None:
        """The cable is pulled: addresses and routes go with it."""
        interface, address, _ = self.ways[uplink.name]
        self.ip("link", "set", interface, "down")
        self.ip("address", "flush", "dev", interface)

    def back(self, uplink: Uplink) -> None:
        """The cable is in again, with the same addresses and with the first right to the routes."""
        interface, address, gateways = self.ways[uplink.name]
        prefix = 24 if address.startswith("192.") else 30
        lines = [f"ip link set {interface} up", f"ip address replace {address}/{prefix} dev {interface}",
                 f"ip route replace default via {gateways[0]} dev {interface} metric 50"]
        if len(gateways) > 1:
            lines += [f"ip address replace {gateways[1][:-1]}2/64 dev {interface} nodad",
                      f"ip -6 route replace default via {gateways[1]} dev {interface} metric 50"]
        self.script("\n".join(lines))

    def move(self, old: Uplink, new: Uplink) -> None:
        """Roaming: what leads to the old uplink is gone in one moment, and the new one takes over."""
        self.leave(old)
        if new.name not in self.ways:
            self.attach(new)
        else:
            self.back(new)


class World(netns.Network):
    """An Internet. Everything in it ends with it."""

    def __init__(self, build):
        super().__init__(build)
        missing = [program for program in ("nft", "conntrack") if not shutil.which(program)]
        if missing:
            raise Unavailable(f"no {', '.join(missing)}: apt-get install nftables conntrack")
        self.inet, self.legs = self.node("inet"), 0
        try:
            self.inet.script(FORWARD)
        except AssertionError as error:
            self.__exit__()
            raise Unavailable(f"no router of our own: {error}") from None

    def leg(self, node: netns.Node, number: int, addresses=1) -> tuple:
        """A shaped link from a node to the Internet: the link, and the node's public addresses (IPv4, then IPv6)."""
        base = ipaddress.ip_network(f"203.0.113.{8 * number}/29")
        link = self.link(node, self.inet, f"{base[2]}/29", f"{base[1]}/29", seed=number)
        inside, outside = link.names
        mine = [str(base[2 + index]) for index in range(addresses)]
        wide = [f"2001:db8:0:{number:x}::{2 + index}" for index in range(addresses)]
        self.inet.ip("address", "add", f"2001:db8:0:{number:x}::1/64", "dev", outside, "nodad")
        node.script("\n".join([f"ip address add {each}/29 dev {inside}" for each in mine[1:]] +
                              [f"ip address add {each}/64 dev {inside} nodad" for each in wide] +
                              [f"ip route add default via {base[1]} dev {inside}",
                               f"ip -6 route add default via 2001:db8:0:{number:x}::1 dev {inside}"]))
        return link, mine + wide

    def _number(self) -> int:
        self.legs += 1
        assert self.legs < 32, "the Internet is full"
        return self.legs - 1

    def server(self, name: str, addresses=1) -> netns.Node:
        """A node with public addresses: server.addresses has those of IPv4 first, server.link is its leg."""
        node = Host(name)
        self.parts.append(node)
        node.link, node.addresses = self.leg(node, self._number(), addresses)
        return node

    def uplink(self, name: str, nat="moderate", *, ipv6=False, hairpin=False) -> Uplink:
        kinds = (nat,) if isinstance(nat, str) else tuple(nat)
        assert all(kind in KINDS for kind in kinds), f"{nat}: no kind of NAT"
        return Uplink(self, name, self._number(), kinds, ipv6, hairpin)

    def host(self, name: str, *uplinks: Uplink) -> Host:
        node = Host(name)
        self.parts.append(node)
        for uplink in uplinks:
            node.attach(uplink)
        return node
