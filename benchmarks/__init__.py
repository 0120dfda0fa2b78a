"""Every figure of the project beside its peer's, measured in the same run on one loopback machine.

One module per subject; each has `measure(quick) -> Iterable[Row]`. Run `python -m benchmarks` (or
`make bench`). Here belong timings; tests assert none, because a busy machine is not a bug.
"""
