"""The version of the package and of the wire protocol, stated once, here, because the agent ships it."""

VERSION = "0.1.0"
PROTOCOL = 1
