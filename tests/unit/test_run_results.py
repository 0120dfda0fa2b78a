"""What a run brings beside its output: whether it is asked for metrics at its end."""

from __future__ import annotations

import pytest

from jupyter_remote.run_results import ALL_HEARD_B, ENDS_B, RunResults


@pytest.mark.parametrize("line", [b"RESULT_X 1\n", b"Loss 0.3\n", b"epoch 1/2 f1=0.5\n", b"tflops: 7\n"])
@pytest.mark.parametrize("size", [0, ALL_HEARD_B + 1])
def test_what_may_be_a_metric_is_heard_in_a_flood_too(line: bytes, size: int) -> None:
    filler = b"x" * (4 * ENDS_B)
    for before, after in ((b"", filler), (filler, b"")):
        results = RunResults()
        for _ in range(size // len(filler) + 1):
            results.hear(filler)
        assert not results.said_metrics
        results.hear(before + line + after)
        assert results.said_metrics
