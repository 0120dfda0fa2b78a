"""Bringing a workspace to a host: `rules` (which files), `scan` (their state), `plan` (what to do, purely).

`session` ties these to a connection. The host's half is `agent/tree.py`; the bytes in between are
`agent/pack.py`. Nothing is imported here, so that whoever needs one module doesn't pay for all.
"""
