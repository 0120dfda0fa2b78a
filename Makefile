# What a fresh machine needs: `make demo` and `make test`. Everything lives in .venv and build/.
# PYTHON=/path/to/python3 chooses the interpreter; without it scripts/environment looks for one.

.PHONY: help demo test check bench clean cuts

help:
	@echo "make demo    run notebooks/quickstart.ipynb on the host 'local'; prints where the result is"
	@echo "make test    all tests, with the environment and the system packages they need"
	@echo "make check   ruff, mypy --strict, vermin"
	@echo "make cuts    cut a run's link 500 times, and compare what arrived with what was printed"
	@echo "make bench   every figure beside its peer's; writes build/bench.json"
	@echo "make clean   remove .venv, build/ and caches"

demo:
	@scripts/environment notebook
	@.venv/bin/python scripts/demo

test:
	@scripts/system-packages openssh-client openssh-server rsync git
	@scripts/environment test
	@scripts/test

check:
	@scripts/check

cuts:
	@scripts/system-packages openssh-client openssh-server
	@scripts/environment test
	@.venv/bin/python tests/integration/cuts.py $(CUTS)

bench:
	@scripts/system-packages openssh-client openssh-server rsync git
	@scripts/environment test
	@.venv/bin/python -m benchmarks $(BENCH)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
