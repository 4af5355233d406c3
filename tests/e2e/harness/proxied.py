"""What load balancers say before a connection: PROXY headers."""

import socket
import struct

CALLER = "198.51.100.7"
BINARY = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11]) + struct.pack("!H", 12) + socket.inet_aton(CALLER) + socket.inet_aton("203.0.113.9") + struct.pack("!HH", 40000, 443)
ENDPOINT = "vpce-08d2bf15fac5001c9"


def through_endpoint(value):
    """What a Network Load Balancer says of a call through a VPC endpoint: BINARY with TLVs behind the addresses."""
    crc, aws = struct.pack("!BHI", 0x03, 4, 0), struct.pack("!BH", 0xEA, len(value)) + value
    return BINARY[:14] + struct.pack("!H", 12 + len(crc) + len(aws)) + BINARY[16:] + crc + aws
