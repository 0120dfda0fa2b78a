"""Requests made up from rest-api.yml, right ones and wrong ones: no fault, and every answer as it says."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pages import BASE, Server, served, server

from jupyter_remote.server import contract

schemathesis = pytest.importorskip("schemathesis")

# `addHost` would knock at whatever machine it makes up; the websocket is no request.
LEFT_OUT = ("addHost", "openEvents")
EXAMPLES = 12


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_nothing_that_is_made_up_is_a_fault(served: Server, mode: str) -> None:
    document = copy.deepcopy(contract.document())
    schema = schemathesis.openapi.from_dict(document)
    seen = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] in LEFT_OUT:
            continue
        seen += 1
        _try(served, operation, getattr(schemathesis.GenerationMode, mode.upper()))
    assert seen > 20


def _try(served: Server, operation: Any, mode: Any) -> None:
    try:
        strategy = operation.as_strategy(generation_mode=mode)
    except Exception:  # nothing about it can be wrong
        return

    headers = {"Authorization": f"token {served.token}"}

    @given(case=strategy)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Any) -> None:
        answer = case.call(base_url=f"http://127.0.0.1:{served.port}{BASE}", headers=headers, timeout=30)
        told = f"{operation.label}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, told
        if answer.status_code >= 400:
            contract.check(contract.schema("Problem"), json.loads(answer.content))
        elif answer.status_code != 204 and operation.path != "/runs/{run}/artifact":
            schema = contract.answer_schema(operation.path, operation.method, answer.status_code)
            assert schema is not None, told
            contract.check(schema, json.loads(answer.content))

    try:
        one()
    except Exception as error:
        if "Unsatisfiable" in type(error).__name__ or "SkipTest" in type(error).__name__:
            return
        raise


__all__ = ["served", "server"]
