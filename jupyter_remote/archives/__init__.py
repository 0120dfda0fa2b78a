"""Archives: where finished runs are kept. Start at `archive.py`; the kinds are in `registry.py`."""
