"""The extension of jupyter-server: hosts and runs for the pages of one server, without a kernel.

`rest-api.yml` says what there is to ask. Nothing is imported here: who starts a server pays for what is used.
"""
