"""An example of a package that adds kinds to jupyter_remote; docs/plugins.md walks through it."""
