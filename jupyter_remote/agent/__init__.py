"""What ships to a host: the agent, the supervisor and the worker, and what they share with the client.

Standard library only, relative imports only, Python 3.8 and newer. The client imports these very
modules; on a host they are the package ``jupyter_remote_agent``.
"""
