"""Builds one environment on a host. :func:`main` is called by the last line of the text that is sent.

`<root>/<digest>/env.json` appears last, so what has none is not whole and is used by nobody; who builds holds
`<root>/<digest>.lock`, and so do the programs that it starts. Everything is put where it stays, since
environments can't be moved.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from .files import expand, follow, open_lock, read_json, rename, say, size_of, write_json
from .programs import run_program
from .questions import FACTS, INVENTORY
from .reasons import Failed, fits, why
from .tools import base_python, tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

INTERRUPTED = "it was interrupted"


class Builder:
    """One environment.

    Args:
        spec: what the client says; see `create.py`.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.root = expand(spec["root"])
        self.folder = os.path.join(self.root, spec["digest"])
        self.env = os.path.join(self.folder, "env")
        self.python = os.path.join(self.env, "bin", "python")
        self.marker = os.path.join(self.folder, "env.json")
        self.log_path = os.path.join(self.folder, "build.log")
        self.failure = os.path.join(self.folder, "failed.json")
        self.wheels = [os.path.join(self.root, "wheels", name) for name in spec["wheels"]]
        self.lock = -1
        self.log: Any = None

    # From the request to a whole environment.

    def make(self) -> None:
        """Builds it, unless it is there or somebody else is at it.

        Raises:
            Failed: what went wrong.
        """
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        facts = self.whole()
        if facts is None:
            self.hold()
            facts = self.whole()
        if facts is not None:
            self.done(facts, "is there already")
            return
        os.makedirs(self.folder, exist_ok=True)
        self.clear()
        with open(self.log_path, "wb") as self.log:
            try:
                facts = self.build()
            except BaseException as error:
                self.clear()
                why = str(error) if isinstance(error, (Failed, OSError)) else INTERRUPTED
                write_json(self.failure, {"why": why})
                raise
        write_json(self.marker, facts)
        self.done(facts, "is made")

    def whole(self) -> dict[str, Any] | None:
        """Its facts when it is there and its Python starts."""
        facts = read_json(self.marker)
        if facts is None:
            return None
        try:
            argv = [self.python, "-I", "-c", ""]
            code = subprocess.call(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError:
            code = 127  # what it was made with is gone
        if code:
            say("it is there and its Python does not start any more: made anew")
            return None
        return facts

    def hold(self) -> None:
        """Takes the lock; while somebody else builds, shows how that goes.

        Raises:
            Failed: the other one's build failed, or it is used.
        """
        since = time.time()
        self.lock = open_lock(os.path.join(self.root, self.spec["digest"] + ".lock"))
        follower: Iterator[bytes] | None = None
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if os.path.exists(self.marker):
                    if self.whole() is not None:
                        return
                    raise Failed(
                        "it is broken and still in use: end the sessions in it, then try again"
                    ) from None
                if follower is None:
                    say("somebody else is building it now; this is how that goes:")
                    follower = follow(self.log_path)
                sys.stdout.buffer.write(next(follower))
                sys.stdout.flush()
                time.sleep(0.1)
        if follower is not None:
            sys.stdout.buffer.write(next(follower))
            sys.stdout.flush()
            failed = read_json(self.failure)
            late = failed is not None and os.stat(self.failure).st_mtime > since - 1
            if failed is not None and late and failed.get("why") != INTERRUPTED:
                raise Failed(f"the other build failed: {failed.get('why')}")

    def clear(self) -> None:
        """Removes what there is of it.

        Raises:
            Failed: something can't be removed.
        """
        for path in (self.marker, self.failure):
            if os.path.exists(path):
                os.unlink(path)
        if os.path.lexists(self.env):
            if self.log is None:
                say("removing what a build that did not end has left")
            shutil.rmtree(self.env, ignore_errors=True)
        if os.path.lexists(self.env):
            raise Failed(f"{self.env} can't be removed; remove it by hand")

    def build(self) -> dict[str, Any]:
        """Makes it, and returns its facts, as `env.json` will have them."""
        how = self.method()
        say(f"making {self.spec['name']} ({self.spec['digest']}) with {how} from {self.spec['source']}")
        {"uv": self.with_uv, "venv": self.with_venv, "conda": self.with_conda}[how]()
        told = self.verify()
        return {
            "made_with": how,
            "source": self.spec["source"],
            "python": told["python"],
            "packages": len(told["packages"]),
            "size": size_of(self.env),
            "created": time.time(),
            "offline": int(bool(self.wheels)),
            "path": self.env,
            "wheels": self.spec["wheels"],
        }

    def method(self) -> str:
        """What it is made with: ``uv``, ``venv`` or ``conda``.

        Raises:
            Failed: what is asked for is not there.
        """
        asked: str = self.spec["with"]
        if asked == "conda" or self.spec["conda"]:
            tool("conda")
            return "conda"
        if asked == "uv":
            tool("uv")
        return asked or ("uv" if tool("uv", needed=False) else "venv")

    # The ways to build one.

    def with_uv(self) -> None:
        """By uv, which also fetches a Python where it may."""
        uv = str(tool("uv"))
        offline = ["--offline"] if self.wheels else []
        self.run(
            [uv, "venv", "--quiet", *offline, "--python", self.spec["python"] or sys.executable, self.env]
        )
        self.check_python()
        install = [uv, "pip", "install", *offline, "--python", self.python, "--compile-bytecode"]
        if self.wheels:
            self.run([*install, "--no-deps", "--no-index", *self.wheels])
        elif self.spec["lines"]:
            self.run([*install, *self.files()])
        self.check_together([uv, "pip", "check", "--python", self.python])

    def with_venv(self) -> None:
        """By the modules of Python alone, and pip."""
        base = base_python(self.spec["python"])
        pip = [self.python, "-m", "pip"]
        bundled = subprocess.call([base, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL) == 0
        if self.wheels or not bundled:
            self.run([base, "-m", "venv", "--without-pip", self.env])
        else:
            self.run([base, "-m", "venv", self.env])
        self.check_python()
        if self.wheels:
            with_pip = next(path for path in self.wheels if os.path.basename(path).startswith("pip-"))
            quiet = ["install", "--no-index", "--no-deps"]
            self.run([self.python, os.path.join(with_pip, "pip"), *quiet, *self.wheels])
        else:
            if not bundled:
                self.borrow_pip(base)
            if self.pip_version() < 21:
                self.run([*pip, "install", "--upgrade", "pip"])  # older ones don't know today's wheels
            if self.spec["lines"]:
                self.run([*pip, "install", *self.files()])
        self.check_together([*pip, "check"])

    def with_conda(self) -> None:
        """By conda, or what understands its words.

        Raises:
            Failed: it can't be, or there is no Python in it.
        """
        conda = str(tool("conda"))
        if self.wheels:
            raise Failed("--offline goes with uv or venv; conda's packages can't be had from here")
        if self.spec["conda"]:
            path = os.path.join(self.folder, "environment.yml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.spec["conda"])
            words = ["create", "--yes"] if "micromamba" in os.path.basename(conda) else ["env", "create"]
            self.run([conda, *words, "--prefix", self.env, "--file", path])
        else:
            python = "python" + ("=" + self.spec["python"] if self.spec["python"] else "")
            self.run([conda, "create", "--yes", "--prefix", self.env, python, "pip"])
            if self.spec["lines"]:
                self.run([self.python, "-m", "pip", "install", *self.files()])
        if not os.access(self.python, os.X_OK):
            raise Failed("there is no Python in it: add `python` to the dependencies in the file")
        self.check_python()

    def borrow_pip(self, base: str) -> None:
        """Installs pip by the one of the interpreter `base`, which lacks ensurepip.

        Raises:
            Failed: that one is too old for it.
        """
        told = subprocess.run(
            [base, "-m", "pip", "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        match = re.match(rb"pip (\d+)\.(\d+)", told.stdout)
        if match is None or (int(match[1]), int(match[2])) < (22, 3):
            raise Failed(
                f"{base} has no ensurepip, so it can't give one pip (Debian: package python3-venv).\n"
                "With --offline pip comes from here; with uv on the host none is needed."
            )
        self.run([base, "-m", "pip", "--python", self.python, "install", "pip"])

    def pip_version(self) -> int:
        """The first number of its version, 0 when there is none."""
        told = subprocess.run([self.python, "-m", "pip", "--version"], stdout=subprocess.PIPE, check=False)
        match = re.match(rb"pip (\d+)", told.stdout)
        return int(match[1]) if match else 0

    def files(self) -> list[str]:
        """Writes what is wanted to files; pip's options that name them."""
        words = []
        for option, key in (("-r", "lines"), ("-c", "constraints")):
            if self.spec[key]:
                path = os.path.join(self.folder, key + ".txt")
                with open(path, "w", encoding="utf-8") as file:
                    file.write("\n".join(self.spec[key]) + "\n")
                words += [option, path]
        return words

    # What is made sure of.

    def check_python(self) -> None:
        """What was made has a Python that the project wants."""
        told = subprocess.run(
            [self.python, "-I", "-c", "import platform; print(platform.python_version())"],
            stdout=subprocess.PIPE,
            check=False,
        )
        self.check_version(told.stdout.decode().strip())

    def check_version(self, version: str) -> None:
        """Checks that the project wants a Python of this `version`.

        Raises:
            Failed: it wants another.
        """
        wanted = self.spec["requires_python"]
        if version and wanted and not fits(version, wanted):
            raise Failed(
                f"{self.spec['source']} wants Python {wanted}, and this would be {version}.\n"
                "Choose another one with --python."
            )

    def check_together(self, argv: list[str]) -> None:
        """What was installed without asking an index is checked to fit together."""
        if self.wheels:
            # A lock may override what packages say of each other.
            self.run(argv, may_fail=self.spec["kind"] == "lock")

    def verify(self) -> dict[str, Any]:
        """What its Python says of itself and of its packages.

        Raises:
            Failed: it does not start, or files of packages are missing.
        """
        told = subprocess.run([self.python, "-I", "-c", INVENTORY], stdout=subprocess.PIPE, check=False)
        try:
            facts: dict[str, Any] = json.loads(told.stdout)
        except ValueError:
            raise Failed("its Python does not start, or can't list its packages") from None
        if facts["missing"] and not self.spec["conda"]:
            raise Failed(f"files of its packages are missing: {', '.join(facts['missing'])}")
        return facts

    def run(self, argv: list[str], may_fail: bool = False) -> None:
        """Runs a program, `argv`; it has failed when it says so, unless that `may_fail`.

        Raises:
            Failed: it failed.
        """
        code, said = run_program(argv, self.folder, self.log, self.lock)
        if code and not may_fail:
            raise Failed(why(os.path.basename(argv[0]), code, said))

    def done(self, facts: dict[str, Any], what: str) -> None:
        """Gives the name to the environment with these `facts`, and says `what` came of it."""
        name = self.spec["name"]
        before = rename(self.root, name, self.spec["digest"])
        noun = "package" if facts["packages"] == 1 else "packages"
        say(
            f"environment {name} ({self.spec['digest']}) {what}: Python {facts['python']}, "
            f"{facts['packages']} {noun}, {facts['size'] / (1 << 20):.0f} MiB in {self.env}"
        )
        if before and before != self.spec["digest"]:
            say(f"{name} was {before} before, which stays until `env remove`; sessions in it go on")

    # What the client has to know before it can download for this host.

    def probe(self) -> None:
        """Prints what decides which wheels fit.

        Raises:
            Failed: there is no such Python here.
        """
        how = self.method()
        python = sys.executable
        if how == "uv" and self.spec["python"]:
            found = [str(tool("uv")), "python", "find", "--offline", self.spec["python"]]
            told = subprocess.run(found, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            if told.returncode:
                raise Failed(
                    f"uv finds no Python {self.spec['python']} here, and can't fetch one without a network"
                )
            python = told.stdout.decode().strip()
        elif how == "venv":
            python = base_python(self.spec["python"])
        elif how == "conda":
            raise Failed("--offline goes with uv or venv; conda's packages can't be had from here")
        told = subprocess.run([python, "-I", "-c", FACTS], stdout=subprocess.PIPE, check=False)
        facts = dict(json.loads(told.stdout), made_with=how)
        self.check_version(facts["markers"]["python_full_version"])
        print(json.dumps(facts))


def stop(*_: object) -> None:
    """A signal becomes an interrupt, so that what was begun is removed."""
    raise KeyboardInterrupt


def main(text: str) -> None:
    """Does what the specification (JSON) says, and exits."""
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    spec = json.loads(text)
    builder = Builder(spec)
    try:
        builder.probe() if spec.get("probe") else builder.make()
    except Failed as error:
        print(f"environment {spec['name']} is not made: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        hint = "\nFree some space, or set `env_root` of the host." if error.errno in (28, 122) else ""
        print(f"environment {spec['name']} is not made: {error}{hint}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"environment {spec['name']} is not made: interrupted; nothing of it is left", file=sys.stderr)
        sys.exit(130)
