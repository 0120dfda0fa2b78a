"""An EC2 whose machines are real ssh servers: started by the tests as a program of its own.

Moto answers as EC2 does, but its machines do nothing and change their state at once. Here one that is started
stays `pending` for a while, is `running` before its sshd answers, and gets another address each time
(127.0.0.2, 127.0.0.3, …); one that is stopped loses its sshd first. What EC2 is to refuse next is read from
FOLDER/refuse.json: a list of [action, code].

    python ec2_cloud.py FOLDER SSHD CONFIG PORT UID

With a machine that is stopped end all processes of the user UID, unless that is our own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from moto.ec2.exceptions import EC2ClientError  # type: ignore[import-untyped]
from moto.ec2.models import EC2Backend  # type: ignore[import-untyped]
from moto.ec2.models.instances import Instance  # type: ignore[import-untyped]
from moto.server import ThreadedMotoServer  # type: ignore[import-untyped]

CHANGING_S = 0.4
BOOT_S = 0.3

folder, sshd, config, port, uid = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4], sys.argv[5]
servers: dict[str, subprocess.Popen[bytes]] = {}
addresses = iter(range(2, 250))
really_start, really_stop, really_describe = Instance.start, Instance.stop, EC2Backend.describe_instances
really_terminate = Instance.terminate


def refused(action: str) -> None:
    path = folder / "refuse.json"
    wanted = json.loads(path.read_text()) if path.exists() else []
    for number, (which, code) in enumerate(wanted):
        if which == action:
            del wanted[number]
            path.write_text(json.dumps(wanted))
            raise EC2ClientError(code, f"{action} was refused by the test")


def boot(instance: Any, address: str) -> None:
    time.sleep(CHANGING_S)
    if instance._state.name != "pending":
        return
    instance.nics[0].public_ip = address
    instance._state.name, instance._state.code = "running", 16
    time.sleep(BOOT_S)
    if instance._state.name != "running":
        return
    text = config.read_text().replace("ListenAddress 127.0.0.1", f"ListenAddress {address}")
    own = folder / f"sshd-{address}"
    own.write_text(text)
    servers[instance.id] = subprocess.Popen([sshd, "-D", "-f", str(own), "-p", port, "-E", f"{own}.log"])


def halt(instance: Any) -> None:
    if instance.id in servers:
        cut(servers.pop(instance.id))
    time.sleep(CHANGING_S)
    if instance._state.name == "stopping":  # not terminated meanwhile
        instance._state.name, instance._state.code = "stopped", 80


def cut(server: subprocess.Popen[bytes]) -> None:
    # Before the server, whose pid may be another's once it has gone.
    subprocess.run(["pkill", "-KILL", "-P", str(server.pid)], check=False)
    server.kill()
    server.wait()
    if uid != str(os.getuid()):
        subprocess.run(["pkill", "-KILL", "-u", uid], check=False)


def start(self: Any) -> Any:
    refused("StartInstances")
    if self._state.name != "stopped":
        raise EC2ClientError(
            "IncorrectInstanceState", f"The instance is not in a state to start: {self._state.name}"
        )
    said = really_start(self)
    self._state.name, self._state.code = "pending", 0
    threading.Thread(target=boot, args=(self, f"127.0.0.{next(addresses)}"), daemon=True).start()
    return said


def stop(self: Any, *rest: Any, **named: Any) -> Any:
    refused("StopInstances")
    if self._state.name == "pending":
        raise EC2ClientError("IncorrectInstanceState", "The instance is not in a state to stop: pending")
    said = really_stop(self, *rest, **named)
    self._state.name, self._state.code = "stopping", 64
    threading.Thread(target=halt, args=(self,), daemon=True).start()
    return said


def terminate(self: Any, *rest: Any, **named: Any) -> Any:
    if self.id in servers:
        cut(servers.pop(self.id))
    return really_terminate(self, *rest, **named)


def describe(self: Any, *rest: Any, **named: Any) -> Any:
    refused("DescribeInstances")
    return really_describe(self, *rest, **named)


def main() -> None:
    Instance.start, Instance.stop, Instance.terminate = start, stop, terminate
    EC2Backend.describe_instances = describe
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, number = server.get_host_and_port()
    print(f"http://{host}:{number}", flush=True)
    # Until the test closes our stdin, also by its death.
    sys.stdin.read()
    for one in servers.values():
        cut(one)
    os._exit(0)


if __name__ == "__main__":
    main()
