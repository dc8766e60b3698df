# SPDX-License-Identifier: MIT
"""First packets of QUIC v1 connections (RFC 9000 17.2.2, RFC 9001 5): opened, and made anew for other connection ids.

    hello = crypto_of(recorded)                 the ClientHello of a client's first flight
    packet = initial(os.urandom(16), hello)     as many clients as one likes, each with an id of its own

So a flood of strangers costs a server what real strangers would. python3-cryptography comes with paramiko.
"""

import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
SIZE = 1200


def expand(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label of TLS 1.3 with SHA-256, of one block."""
    name = b"tls13 " + label.encode()
    info = struct.pack(">HB", length, len(name)) + name + b"\0\1"
    return hmac.new(secret, info, hashlib.sha256).digest()[:length]


def keys(dcid: bytes) -> tuple:
    """Of the client: key, IV, header protection key."""
    initial_secret = hmac.new(SALT, dcid, hashlib.sha256).digest()
    secret = expand(initial_secret, "client in", 32)
    return expand(secret, "quic key", 16), expand(secret, "quic iv", 12), expand(secret, "quic hp", 16)


def mask(key: bytes, sample: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(sample)


def varint(value: int) -> bytes:
    return bytes([value]) if value < 64 else struct.pack(">H", value | 0x4000)


def take_varint(text: bytes, at: int) -> tuple:
    length = 1 << (text[at] >> 6)
    return int.from_bytes(text[at:at + length], "big") & ((1 << (8 * length - 2)) - 1), at + length


def nonce(iv: bytes, number: int) -> bytes:
    return bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big")))


def open_initial(packet: bytes) -> bytes:
    """The frames of the first packet of a datagram."""
    assert packet[0] & 0xf0 == 0xc0 and packet[1:5] == b"\0\0\0\1", "no Initial packet"
    at = 6 + packet[5]
    dcid = packet[6:at]
    at += 1 + packet[at]
    token, at = take_varint(packet, at)
    length, at = take_varint(packet, at + token)
    key, iv, protection = keys(dcid)
    hide = mask(protection, packet[at + 4:at + 20])
    first = packet[0] ^ (hide[0] & 0x0f)
    size = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(packet[at:at + size], hide[1:]))
    head = bytes([first]) + packet[1:at] + number
    return AESGCM(key).decrypt(nonce(iv, int.from_bytes(number, "big")), packet[at + size:at + length], head)


def crypto_of(datagrams: list) -> bytes:
    """What the CRYPTO frames of a client's first datagrams say, in order."""
    pieces = {}
    for datagram in datagrams:
        frames, at = open_initial(datagram), 0
        while at < len(frames):
            if frames[at] in (0, 1):  # PADDING, PING
                at += 1
                continue
            assert frames[at] == 6, f"frame {frames[at]} in an Initial packet"
            offset, at = take_varint(frames, at + 1)
            length, at = take_varint(frames, at)
            pieces[offset] = frames[at:at + length]
            at += length
    return b"".join(pieces[offset] for offset in sorted(pieces))


def initial(dcid: bytes, hello: bytes, number=0, offset=0) -> bytes:
    """One datagram of 1200 bytes; as much of the hello from the offset on as fits."""
    key, iv, protection = keys(dcid)
    head = bytes([0xc3]) + b"\0\0\0\1" + bytes([len(dcid)]) + dcid + b"\x08" + os.urandom(8) + b"\0"
    room = SIZE - len(head) - 2 - 4 - 16
    piece = hello[offset:offset + room - 8]
    frames = (b"\x06" + varint(offset) + varint(len(piece)) + piece).ljust(room, b"\0")
    head += struct.pack(">H", (4 + len(frames) + 16) | 0x4000)
    sealed = AESGCM(key).encrypt(nonce(iv, number), frames, head + number.to_bytes(4, "big"))
    hide = mask(protection, sealed[:16])
    plain = number.to_bytes(4, "big")
    return (bytes([head[0] ^ (hide[0] & 0x0f)]) + head[1:] + bytes(a ^ b for a, b in zip(plain, hide[1:])) + sealed)


def flight(dcid: bytes, hello: bytes) -> list:
    """All datagrams of a hello."""
    room, packets, offset = SIZE - 60 - len(dcid), [], 0
    while offset < len(hello):
        packets.append(initial(dcid, hello[:offset + room], len(packets), offset))
        offset += room
    return packets
