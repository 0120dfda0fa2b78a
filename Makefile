# What a fresh machine needs: `make demo` and `make test`. Everything lives in .venv and build/.
# PYTHON=/path/to/python3 chooses the interpreter; without it scripts/environment looks for one.

.PHONY: help demo test e2e panel test-torch test-s3 kills trees cuts slurm ray oldest binder docs check coverage wheel bench clean

help:
	@echo "make demo    run notebooks/quickstart.ipynb on the host 'local'; prints where the result is"
	@echo "make test    all tests, with the environment and the system packages they need"
	@echo "make e2e     the tests in a browser alone; screenshots in build/e2e/"
	@echo "make panel   build the JupyterLab panel into .venv, where its sources have changed (Node.js 20.19 or newer)"
	@echo "make test-torch  the tests of PyTorch's tensors, in an environment of their own (200 MB and more)"
	@echo "make test-s3 archives on a real S3 server, Ceph's (Debian packages, 269 MB the first time)"
	@echo "make kills   300 syncs and 300 pulls that die at a random moment, and 2,000 random trees"
	@echo "make trees   the list of files beside git's own, on 2,000 random trees of each kind (minutes)"
	@echo "make oldest  some of the tests with the oldest version of every dependency that is allowed"
	@echo "make binder  make what binder/ says, start its JupyterLab, run the quickstart there"
	@echo "make docs    the documentation, in build/docs/; a warning is an error"
	@echo "make check   ruff, mypy --strict, vermin, vulture; no module above 400 lines"
	@echo "make coverage  which lines and branches the tests go through, on hosts too"
	@echo "make wheel   sdist and wheel of a release, in dist/, installed into a new environment and tried"
	@echo "make cuts    cut a run's link 500 times, and compare what arrived with what was printed"
	@echo "make slurm   the long tests of Slurm too: time limits, memory, a lost node, accounting (minutes)"
	@echo "make ray     the launchers' tests with a real Ray, which is installed for it (400 MB, a minute or two)"
	@echo "make bench   every figure beside its peer's; writes build/bench.json"
	@echo "make clean   remove .venv, build/ and caches"

demo:
	@scripts/environment notebook
	@.venv/bin/python scripts/demo

test:
	@scripts/system-packages openssh-client openssh-server libpam-google-authenticator rsync git iproute2 environment-modules chromium fonts-dejavu-core nodejs \
		slurm-wlm munge slurm-wlm-torque podman runc docker.io iptables task-spooler man-db
	@scripts/environment test e2e
	@scripts/panel
	@scripts/test

e2e:
	@scripts/system-packages openssh-client openssh-server libpam-google-authenticator chromium fonts-dejavu-core nodejs
	@scripts/environment test e2e
	@scripts/panel
	@scripts/test -n 2 --dist loadfile tests/e2e

panel:
	@scripts/environment test e2e
	@scripts/panel

test-torch:
	@scripts/environment test torch
	@scripts/system-packages openssh-client openssh-server
	@scripts/test -k tensors tests/unit/test_variables_tables.py tests/integration/test_send_fetch.py

test-s3:
	@scripts/system-packages radosgw ceph-mon ceph-osd ceph-common
	@scripts/environment test
	@scripts/test tests/integration/ceph_archives.py

kills:
	@scripts/system-packages openssh-client openssh-server rsync git
	@scripts/environment test
	@SYNC_KILLS=300 SYNC_TREES=2000 PULL_KILLS=300 scripts/test --timeout 3600 \
		tests/integration/test_kills.py tests/integration/test_sync_trees.py tests/integration/test_pulls_at_once.py

trees:
	@scripts/system-packages git
	@scripts/environment test
	@RULES_TREES=2000 scripts/test --timeout 3600 -k list_is_gits tests/unit/test_sync_rules.py

oldest:
	@scripts/environment test
	@scripts/oldest

binder:
	@scripts/system-packages nodejs git
	@scripts/environment test
	@.venv/bin/python scripts/binder

docs:
	@scripts/environment docs
	@.venv/bin/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

check:
	@scripts/check

coverage:
	@scripts/environment test dev
	@scripts/coverage

wheel:
	@scripts/system-packages nodejs git
	@scripts/environment test
	@scripts/wheel

cuts:
	@scripts/system-packages openssh-client openssh-server
	@scripts/environment test
	@.venv/bin/python tests/integration/cuts.py $(CUTS)

slurm:
	@scripts/system-packages slurm-wlm munge slurmdbd mariadb-server
	@scripts/environment test
	@SLURM_LONG=1 scripts/test --timeout 600 tests/integration/test_launchers.py tests/integration/test_slurm.py

ray:
	@scripts/environment test ray
	@RAY_REAL=1 scripts/test --timeout 120 -k "real-ray and (session or exit_code or ignores) or finds_the_cluster" tests/integration/test_launchers.py \
		tests/integration/test_ray.py

bench:
	@scripts/system-packages openssh-client openssh-server rsync git slurm-wlm munge podman runc docker.io iptables chromium fonts-dejavu-core nodejs
	@scripts/environment bench
	@scripts/panel
	@.venv/bin/python -m benchmarks $(BENCH)

clean:
	rm -rf .venv build dist jupyter_remote/labextension labextension/node_modules labextension/lib .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
