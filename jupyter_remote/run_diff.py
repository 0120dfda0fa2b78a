"""How two runs differ: code, environment, workspace, settings, metrics, end. No host is asked here.

A pair ``[first, second]`` stands for a value that differs; what is equal is not named.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from typing import Any

Document = dict[str, Any]

_RESULT = ("state", "exit_code", "reason", "seconds")
_CALL = ("kind", "argv", "script", "cwd", "env", "env_names", "timeout", "session", "fresh", "sync", "host")


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> Document:
    """The differences of two runs, each as `records.whole` has it."""
    one, two = first["record"], second["record"]
    environments = first.get("environment") or {}, second.get("environment") or {}
    return {
        "runs": [one["id"], two["id"]],
        "code": _code(first["code"], second["code"], one["id"], two["id"]),
        "call": _values(_call(one), _call(two)),
        "environment": {
            "known": [bool(environment) for environment in environments],
            "python": _values(*({k: v for k, v in e.items() if k != "packages"} for e in environments)),
            "packages": _sets(*(e.get("packages") or {} for e in environments)),
        },
        "workspace": {
            "known": [first.get("manifest") is not None, second.get("manifest") is not None],
            "git": _values(one.get("git") or {}, two.get("git") or {}),
            **_sets(first.get("manifest") or {}, second.get("manifest") or {}),
        },
        "settings": _values(_flat(one.get("settings") or {}), _flat(two.get("settings") or {})),
        "gpus": _values({"gpus": _cards(one)}, {"gpus": _cards(two)}),
        "metrics": _values(_flat(one.get("metrics") or {}), _flat(two.get("metrics") or {})),
        "result": _values({k: one.get(k) for k in _RESULT}, {k: two.get(k) for k in _RESULT}),
        "used": _values(one.get("used") or {}, two.get("used") or {}),
    }


def describe(document: Document) -> str:
    """The differences in words; the code as a unified diff."""
    lines: list[str] = list(document["code"])
    for name in ("call", "settings", "gpus", "metrics", "result", "used"):
        lines += [f"{name}: {key}: {_pair(pair)}" for key, pair in document[name].items()]
    environment, workspace = document["environment"], document["workspace"]
    lines += [f"environment: {key}: {_pair(pair)}" for key, pair in environment["python"].items()]
    lines += _set_lines("package", environment["packages"], show=True)
    lines += [f"git: {key}: {_pair(pair)}" for key, pair in workspace["git"].items()]
    lines += _set_lines("file", workspace, show=False)
    for name in ("environment", "workspace"):
        lines += [
            f"{name}: not recorded for {run}"
            for run, known in zip(document["runs"], document[name]["known"], strict=True)
            if not known
        ]
    return "\n".join(lines) or "no difference"


def _call(record: Mapping[str, Any]) -> Document:
    call = {key: record.get(key) for key in _CALL}
    if record.get("fresh"):
        del call["session"]  # it had one for itself
    return call


def _code(first: str, second: str, one: str, two: str) -> list[str]:
    lines = unified_diff(first.splitlines(), second.splitlines(), f"{one}/code", f"{two}/code", lineterm="")
    return list(lines)


def _values(one: Mapping[str, Any], two: Mapping[str, Any]) -> Document:
    keys = dict.fromkeys([*one, *two])
    return {key: [one.get(key), two.get(key)] for key in keys if one.get(key) != two.get(key)}


def _sets(one: Mapping[str, Any], two: Mapping[str, Any]) -> Document:
    return {
        "added": {key: two[key] for key in sorted(two.keys() - one.keys())},
        "removed": {key: one[key] for key in sorted(one.keys() - two.keys())},
        "changed": {
            key: [one[key], two[key]] for key in sorted(one.keys() & two.keys()) if one[key] != two[key]
        },
    }


def _set_lines(what: str, sets: Document, *, show: bool) -> list[str]:
    lines = []
    for sign, name in (("+", "added"), ("-", "removed"), ("~", "changed")):
        for key, value in sets[name].items():
            text = _pair(value) if name == "changed" else str(value)
            lines.append(f"{sign} {what} {key}" + (f" {text}" if show else ""))
    return lines


def _flat(values: Mapping[str, Any], prefix: str = "") -> Document:
    flat: Document = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _cards(record: Mapping[str, Any]) -> list[str]:
    return [f"{gpu.get('name')}, driver {gpu.get('driver')}" for gpu in record.get("gpus") or []]


def _pair(pair: list[Any]) -> str:
    return f"{pair[0]} -> {pair[1]}"
