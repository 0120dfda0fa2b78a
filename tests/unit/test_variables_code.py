"""Functions and classes by their source, pickles where they are trusted, packages that are missing."""

from __future__ import annotations

import decimal
import json
import math
import pathlib
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from parcels import Sub, cell, closure, packed, parcel_of, trip, unpacked

from jupyter_remote.agent.parcel import Broken, Refused


def test_functions_go_by_their_source() -> None:
    there: dict[str, Any] = {"K": 10}
    source = """import functools
def f(x, n=2):
    'doc'
    return x * n + K
@functools.lru_cache
def g(x):
    return f(x)
"""
    space = cell(source)
    there["functools"] = space["functools"]
    there["f"] = trip(space["f"], code=True, space=there)
    made = trip(space["g"], code=True, space=there)
    assert (there["f"](1), there["f"].__doc__, made(5), made.cache_info().misses) == (12, "doc", 20, 1)
    import inspect

    assert inspect.getsource(there["f"]).startswith("def f(x, n=2)")
    assert trip(trip(space["f"], code=True, space=there), code=True, space=there)(1) == 12


def test_classes_go_by_their_source() -> None:
    source = """class Base:
    def who(self):
        return 'base'

class Model(Base):
    size: int = 3
    def who(self):
        return 'model of ' + super().who()
"""
    space, there = cell(source), {"__name__": "__main__"}
    for name in ("Base", "Model"):
        there[name] = trip(space[name], code=True, space=there)
    assert there["Model"]().who() == "model of base"  # type: ignore[operator]
    newer = cell("class Empty:\n    x = 1\n"), cell("class Empty:\n    x = 2\n")
    assert trip(newer[1]["Empty"], code=True, space={"__name__": "__main__"}).x == 2


def test_what_a_module_defines_goes_by_its_name() -> None:
    for value in (json.dumps, decimal.Decimal, np.mean, len, math.sqrt, json, np, dict):
        assert trip(value, code=True) is value


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "def out():\n    n = 1\n    def f():\n        return n\n    return f\nx = out()",
            "x: out.<locals>.f is a closure over n",
        ),
        ("x = lambda: 1", "x: a lambda has no source"),
    ],
)
def test_functions_that_are_more_than_their_text_are_refused(source: str, says: str) -> None:
    with pytest.raises(Refused) as caught:
        packed(cell(source)["x"])
    assert says in str(caught.value) and caught.value.hint


def test_a_function_whose_surroundings_are_missing_says_which() -> None:
    space = cell("def deco(f): return f\n@deco\ndef f(): pass\n")
    with pytest.raises(Refused, match="f needs what is not there: name 'deco' is not defined"):
        trip(space["f"], code=True, space={})


def test_code_of_a_stranger_is_not_run_and_no_module_imported() -> None:
    ran: dict[str, Any] = {}
    for value in (cell("def f(): pass")["f"], json.dumps, json):
        with pytest.raises(Refused, match="code that a host sends is not run here"):
            trip(value, space=ran)
    assert ran == {}
    with pytest.raises(Refused, match="not defined"):
        unpacked(parcel_of(["enum", 0, "this", "d", 1]))
    assert "this" not in sys.modules


def test_a_package_that_is_missing_is_named() -> None:
    # A bare interpreter: the same code, without any of the packages.
    program = (
        "from agent.parcel import read_parcel, Refused\nfrom agent.variables import Unpacker\n"
        "header, buffers = read_parcel(sys.stdin.buffer.read)\n"
        "try: Unpacker(buffers, {}).unpack('x', header['values']['x'])\n"
        "except Refused as error: print(error, error.hint)\n"
    )
    import jupyter_remote

    folder = pathlib.Path(jupyter_remote.__file__).parent
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}"
    for value, package in (
        (np.arange(3), "numpy"),
        (pd.DataFrame({"a": [1]}), "pandas"),
        (pa.table({}), "pyarrow"),
    ):
        command = [sys.executable, "-I", "-S", "-c", program]
        done = subprocess.run(command, input=packed(value), capture_output=True, timeout=60)
        said = done.stdout.decode()
        assert f"needs {package}, which {sys.executable} does not have" in said and "Install" in said, done


# Pickle, where it is trusted.


def test_pickle_only_where_both_ends_trust() -> None:
    value = {"plain": 1, "sub": Sub([np.arange(1000)]), "lambda": closure()}
    content = packed(value, trusted=True)
    made = unpacked(content, trusted=True)
    assert type(made["sub"]) is Sub and made["lambda"]() == 1 and made["sub"][0][999] == 999
    with pytest.raises(Broken, match="a pickle came, which nobody allowed"):
        unpacked(content)
    assert b"pickle" not in packed({"plain": np.arange(3)}, trusted=True)


def test_a_pickle_of_another_python_is_refused() -> None:
    content = parcel_of(["pickle", 0, "2.7", 0, []], pickle.dumps(1))
    with pytest.raises(Refused, match=r"pickled by Python 2\.7"):
        unpacked(content, trusted=True)
