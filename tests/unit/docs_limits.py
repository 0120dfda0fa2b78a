"""Figures that the documents say of limits, each with the line of code that keeps it.

When a line here is no longer in its file, look at what the page says. What was measured doesn't belong here:
pages cite that from benchmarks/figures.json (`benchmarks/page.py`).
"""

LIMITS = {
    "docs/architecture.md": {
        "64 KiB": "jupyter_remote/agent/output.py: buffered = io.BufferedWriter(PacedRaw(fd, self), 1 << 16)",
        "20 ms": "jupyter_remote/agent/output.py: TICK = 0.02",
        "100 ms": "jupyter_remote/agent/output.py: PARTIAL_TICK = 0.1",
        "10 ms": "jupyter_remote/agent/follow.py: AT_ONCE = 0.01",
        "300 ms": "jupyter_remote/consulting.py: BOUND_S = 0.3",
        "200 ms": "jupyter_remote/agent/introspection.py: BOUND, AGAIN = 0.2, 0.05",
        "2 s": "jupyter_remote/agent/ladder.py: GRACE = 2.0",
        "1 MiB": "jupyter_remote/agent/wire.py: MAX_PAYLOAD = 1 << 20",
        "0.5 s": "jupyter_remote/hostlink.py: FIRST_DELAY_S = 0.5",
        "15 s": "jupyter_remote/hostlink.py: LONGEST_DELAY_S = 15.0",
        "30 s": "jupyter_remote/liveness.py: KEEPALIVE_S = 30.0",
        "10 s": "jupyter_remote/liveness.py: AFTER_SLEEP_S = 10.0",
        "32 KiB": "jupyter_remote/agent/rundir.py: LARGEST_LINE = 1 << 15",
        "10 GiB": "jupyter_remote/config_models.py: log_cap: Size | None = 10 << 30",
        "64 bytes": "jupyter_remote/agent/metric_files.py: _MARK = 64",
        "5 s": "jupyter_remote/commands/machines.py: _SKEW = 5.0",
        "2 ms": "jupyter_remote/agent/supervisor.py: WINDOW, MANY, TICK = 0.1, 20, 0.002",
        "0.1 s": "jupyter_remote/history.py: GATHER_S = 0.1",
        "256 KiB": "jupyter_remote/agent/pack.py: _BLOCK = 256 * 1024",
        "20 bytes": "jupyter_remote/agent/entry.py: _DIGEST_SIZE = 20",
        "8 KiB": "jupyter_remote/agent/recipe.py: _SMALLEST_BLOCK = 8 * 1024",
        "16 bytes": "jupyter_remote/agent/recipe.py: ANCHOR = 16",
        "1 GiB": "jupyter_remote/agent/cast_off.py: _MOST_BYTES = 1 << 30",
        "64 MiB": "jupyter_remote/sync/push.py: BATCH_BYTES = 64 << 20",
        "3 MiB": "jupyter_remote/variables.py: AHEAD = 3 << 20",
        "0.2 s": "jupyter_remote/agent/mailbox.py: FIRST, LIVELY, IDLE = 0.01, 0.2, 1.0",
        "1 s": "jupyter_remote/agent/mailbox.py: FIRST, LIVELY, IDLE = 0.01, 0.2, 1.0",
        "50 ms": "jupyter_remote/agent/supervisor.py: FLUSH = 0.05",
        "96 KiB": "tests/unit/test_agent_ships.py: < 96 * 1024",
    },
    "docs/archives.md": {"8 MiB": "jupyter_remote/archives/s3.py: PART = 8 << 20"},
    "docs/campaigns.md": {
        "10 s": "jupyter_remote/campaigns/file.py: retry_wait: Duration = 10.0",
        "5 min": "jupyter_remote/agent/campaign_driver.py: LONGEST_WAIT_S = 300.0",
        "2 s": "jupyter_remote/campaigns/campaign.py: QUICK_S, SLOW_S, BUSY_S = 0.2, 2.0, 5.0",
    },
    "docs/containers.md": {"8 s": "jupyter_remote/agent/joblink.py: PATIENCE = 8.0"},
    "docs/faq.md": {"96 KiB": "tests/unit/test_agent_ships.py: < 96 * 1024"},
    "docs/forward.md": {"30 seconds": "jupyter_remote/forward.py: PATIENCE_S = 30.0"},
    "docs/gpus.md": {
        "10 seconds": "jupyter_remote/agent/sampling.py: WHO_EVERY = 10.0",
        "5 seconds": "jupyter_remote/agent/sampling.py: AMD_EVERY = 5.0",
        "10 %": "jupyter_remote/agent/choosing.py: BUSY_USE = 10",
        "1 GiB": "jupyter_remote/agent/choosing.py: BUSY_MEMORY = 1 << 30",
        "15 seconds": "jupyter_remote/anyhost.py: PATIENCE_S = 15.0",
    },
    "docs/hosts-many.md": {"5 s": "jupyter_remote/group.py: PATIENCE_S = 5.0"},
    "docs/input.md": {"300 ms": "jupyter_remote/consulting.py: BOUND_S = 0.3"},
    "docs/metrics.md": {
        "4 KiB": "jupyter_remote/agent/metrics.py: LONGEST = 4096",
        "16 KiB": "jupyter_remote/agent/metric_files.py: _SCALAR = 1 << 14",
    },
    "docs/output.md": {
        # Also a Jupyter server's own limit, which jupyter_remote/allowance.py stays below.
        "1 MB": "jupyter_remote/excerpt.py: DEFAULT_LIMIT = 1_000_000",
    },
    "docs/pbs.md": {
        "2 s": "jupyter_remote/job_board.py: WAITING_S, ENDING_S = 2.0, 0.4",
        "30 s": "jupyter_remote/config_schedulers.py: poll: Annotated[Duration, Field(ge=1)] = 30.0",
        "8 s": "jupyter_remote/agent/joblink.py: PATIENCE = 8.0",
    },
    "docs/runs.md": {"1 MiB": "jupyter_remote/provenance.py: MAX_DIFF = 1 << 20"},
    "docs/server.md": {
        "50,000 lines a second": "benchmarks/server.py: RATE = 50_000",
        "16 MiB": "jupyter_remote/server/models.py: _GRAIN = 1 << 24",
        "1 GiB": "jupyter_remote/server/app.py: 1 << 30, min=1 << 20",
    },
    "docs/slurm.md": {
        "2 s": "jupyter_remote/job_board.py: WAITING_S, ENDING_S = 2.0, 0.4",
        "30 s": "jupyter_remote/config_schedulers.py: poll: Annotated[Duration, Field(ge=1)] = 30.0",
        "8 s": "jupyter_remote/agent/joblink.py: PATIENCE = 8.0",
    },
    "docs/variables.md": {"10 MB": "jupyter_remote/bringing.py: TOLD = 10_000_000"},
    "docs/widgets.md": {
        "1 GiB": "jupyter_remote/agent/choosing.py: BUSY_MEMORY = 1 << 30",
        "10 %": "jupyter_remote/agent/choosing.py: BUSY_USE = 10",
        "15 s": "jupyter_remote/widgets/sampler.py: _SILENT_S = 15.0",
        "17 s": "jupyter_remote/widgets/audience.py: GONE_S = 17.0",
        "50 updates a second": "tests/integration/test_host_widgets.py: flood(50)",
        "1 MiB": "jupyter_remote/agent/wire.py: MAX_PAYLOAD = 1 << 20",
        "2 s": "jupyter_remote/widgets/runs_feed.py: ASK_S, ASK_NEW_S = 2.0, 30.0",
    },
}
