"""What a notebook shows instead of text: hosts, runs and campaigns, live.

Each is imported on first use through the public root. They show what the verbs of `Remote` and the history
say, and decide nothing. Every one reads well without a front end for widgets: see `shown.py`.
"""
