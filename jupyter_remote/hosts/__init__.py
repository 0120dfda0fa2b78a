"""Hosts: what kinds there are, and what the user's ssh configuration knows about them.

Settings of a host are in `jupyter_remote.config`; moving bytes to it is in `jupyter_remote.transports`.
"""
