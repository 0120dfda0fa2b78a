"""Environments on hosts: what is in one (`sources`), how it is made there (`create`), without a network too.

Read `create.py` first. The modules in `host/` never run here: their text is the code of a run on the host.
"""
