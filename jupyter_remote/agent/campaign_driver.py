"""The process that drives a campaign on this host: starts its steps, each an ordinary run with a supervisor.

It outlives link, agent and client. It knows nothing that isn't in plan, journal and run directories, except
the values of variables that are never written down; killed, it leaves the runs to their supervisors, and
``campaign resume`` starts another one.
"""

from __future__ import annotations

import json
import os
import sys
import time

from . import messages as m
from . import remains, sessions
from .campaigns import ACTIVE, FAILED, SAID, WAITING, Book, decide, end_active
from .capsule import Capsule
from .paths import with_place, write_json
from .processes import identity
from .records import standing
from .rundir import FINAL_STATES, RunDir
from .tree import Mirror

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# How soon the end of a step is seen: while steps are short, and when they are long.
QUICK_S, SLOW_S, BUSY_S = 0.05, 0.5, 5.0
LONGEST_WAIT_S = 300.0
NO_ROOM_S = 5.0


class Driver:
    """One campaign under way.

    Args:
        state: state folder of this host.
        name: of the campaign.
        secrets: values of variables that steps are given.
    """

    def __init__(self, state: str, name: str, secrets: dict[str, str]) -> None:
        self.state = state
        self.book = Book(state, name)
        self.secrets = secrets
        self.orders = {step["key"]: step for step in self.book.plan["steps"]}
        self.capsule = Capsule(state)
        self._told: set[str] = set()

    def run(self) -> None:
        """Drives it to its end."""
        changed = time.monotonic()
        while True:
            try:
                if self._round():
                    changed = time.monotonic()
                steps = self.book.steps()
                if not any(one["state"] in (WAITING, ACTIVE) for one in steps.values()):
                    return
            except OSError:
                time.sleep(NO_ROOM_S)  # a full disk: nothing is started that can't be noted
            time.sleep(QUICK_S if time.monotonic() - changed < BUSY_S else SLOW_S)

    def _round(self) -> bool:
        steps = self.book.steps()
        stopping = os.path.exists(self.book.stop_path)
        happened = False
        for key, one in steps.items():
            if one["state"] == ACTIVE:
                happened |= self._look(key, one)
        if stopping:
            end_active(self.state, self.book, self._told)
            for key, one in steps.items():
                if one["state"] == WAITING:
                    self.book.note(key, state="stopped", reason="the campaign was stopped")
            return True
        starts, skips = decide(self.book.plan, self.book.steps(), time.time(), self.book.halted)
        for key, why in skips.items():
            self.book.note(key, state="skipped", reason=why)
        for key in starts:
            self._start(key)
        return bool(happened or starts or skips)

    def _look(self, key: str, one: dict[str, Any]) -> bool:
        """Notes the end of a step's run."""
        run_id = one["runs"][-1]
        record = standing(RunDir(self.state, run_id))
        if record is None:
            # It was noted and never came: whoever drove it was killed in between; or the user removed it.
            self._end(key, {"state": "lost", "reason": "there is no such run any more"})
        elif record.get("state") in FINAL_STATES:
            self._end(key, record)
        else:
            return False
        return True

    def _end(self, key: str, record: dict[str, Any]) -> None:
        order, one = self.orders[key], self.book.steps()[key]
        facts = {name: record[name] for name in SAID if record.get(name) is not None}
        if record["state"] in FAILED and one["tries"] <= order["retries"]:
            wait = min(order["retry_wait"] * 2 ** (one["tries"] - 1), LONGEST_WAIT_S)
            facts["reason"] = f"try {one['tries']} of {order['retries'] + 1} {record['state']}"
            self.book.note(key, state=WAITING, until=time.time() + wait, **facts)
        else:
            self.book.note(key, state=record["state"], **facts)

    def _start(self, key: str) -> None:
        order, plan = self.orders[key], self.book.plan
        # Longer than a client's: many in a second must not meet.
        run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(4).hex()}"
        # The client's order has an id that stands for that of the run, wherever one is needed.
        told = json.loads(json.dumps(order["order"]).replace(plan["run_id"], run_id))
        spec, run = with_place(told["session"]), told["run"]
        one = self.book.steps()[key]
        tries = one["tries"] + 1
        if one["runs"]:
            remains.end()  # a try whose supervisor was killed may still be at work
        folder = os.path.join(spec["workspace"], "campaigns", plan["name"], order["folder"])
        run["env"] = dict(run.get("env") or {}, JUPYTER_REMOTE_STEP_DIR=folder)
        run["attempt"] = tries
        if plan.get("diff"):
            run["diff"] = plan["diff"]
        self.book.note(key, state=ACTIVE, run=run_id)
        try:
            os.makedirs(folder, exist_ok=True)
            answer = self._submit(run, spec, plan["codes"][order["code"]], order["pass_env"])
            why = answer.message if isinstance(answer, m.Failure) else None
        except (OSError, ValueError, sessions.NoSession) as error:
            why = str(error)
        if why is not None:
            self._end(key, {"state": "failed", "reason": why, "exit_code": 1})

    def _submit(self, run: dict[str, Any], spec: dict[str, Any], code: str, names: list[str]) -> m.Message:
        mirror = Mirror(spec["workspace"])
        record = self.capsule.known(run, mirror, spec["workspace"])
        message = m.Execute(record, {}, None, {name: self.secrets.get(name, "") for name in names})
        for last in (False, True):
            link = sessions.ensure(self.state, spec)
            try:
                answer = link.ask(message, code.encode("utf-8"))
                break
            except sessions.SessionEnded:
                # It was about to end. If it saw the run, the next one refuses the id.
                if last:
                    raise
            finally:
                link.close()
        self.capsule.complete(record, mirror, spec["workspace"])
        return answer


def main() -> None:
    """Entry point; the arguments are ``state folder, campaign, fd to report to``, stdin has the secrets."""
    state, name, report = sys.argv[1], sys.argv[2], int(sys.argv[3])
    secrets = json.load(sys.stdin)
    driver = Driver(state, name, secrets)
    write_json(os.path.join(driver.book.folder, "driver.json"), identity(os.getpid()))
    os.write(report, b"ok")
    os.close(report)
    driver.run()
    driver.capsule.finish()
