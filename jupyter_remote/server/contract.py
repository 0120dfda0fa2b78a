"""`rest-api.yml` at work: what comes from a page is checked against it before anybody else sees it.

No HTTP and no manager is known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from .problems import BadRequest, Invalid, NotFound

MAX_BODY = 8 << 20
_URI = "urn:jupyter-remote:rest-api"
_WORDS = {"true": True, "false": False}


@cache
def document() -> dict[str, Any]:
    """All of rest-api.yml."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files(__package__).joinpath("rest-api.yml").read_text(encoding="utf-8")
    return dict(yaml.load(text, loader))


def operation(template: str, method: str) -> Mapping[str, Any]:
    """What the document says of a method of a path, ``/hosts/{host}`` for example.

    Raises:
        KeyError: there is no such.
    """
    found: Mapping[str, Any] = document()["paths"][template][method.lower()]
    return found


def read_body(template: str, method: str, raw: bytes) -> dict[str, Any]:
    """The body of a request; empty where there is none and none is needed.

    Raises:
        BadRequest: it is not JSON.
        Invalid: it is not what the document says.
    """
    asked = operation(template, method).get("requestBody")
    if asked is None or (not raw.strip() and not asked.get("required")):
        return {}
    try:
        body = json.loads(raw)
        json.dumps(body, ensure_ascii=False).encode()  # half a character can't be written anywhere
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the request's body is not a JSON object: {error}") from None
    if not isinstance(body, dict):
        raise Invalid("the request's body is not an object")
    check(
        _pointer("paths", template, method.lower(), "requestBody", "content", "application/json", "schema"),
        body,
    )
    return body


def read_parameters(
    template: str, method: str, path: Mapping[str, str], query: Mapping[str, str]
) -> dict[str, Any]:
    """The parameters in path and query, of the types that the document gives them; its defaults too.

    Raises:
        NotFound: one in the path names nothing that there could be.
        Invalid: one of the query can't be used.
    """
    values: dict[str, Any] = {}
    for pointer, parameter in _parameters(template, method.lower()):
        name, where, schema = parameter["name"], parameter["in"], parameter["schema"]
        given = (path if where == "path" else query).get(name)
        if given is None:
            if parameter.get("required"):
                raise Invalid(f"`{name}` is missing")
            if "default" in schema:
                values[name] = schema["default"]
            continue
        try:
            value = _typed(given, schema.get("type", "string"))
            check(pointer + "/schema", value)
        except (ValueError, Invalid):
            if where == "path":
                raise NotFound(f"there is no {name} {given[:200]!r}") from None
            raise Invalid(f"`{name}` can't be {given[:200]!r}") from None
        values[name] = value
    return values


def check(pointer: str, value: object) -> None:
    """Compares a value with a schema of the document.

    Args:
        pointer: where the schema stands, as `schema` gives it.
        value: of JSON.

    Raises:
        Invalid: it does not fit, with where and why.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator(pointer).iter_errors(value))
    if error is not None:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        raise Invalid(f"`{where.lstrip('.') or 'the body'}`: {error.message[:500]}")


def schema(name: str) -> str:
    """The pointer to one of ``components/schemas``."""
    return _pointer("components", "schemas", name)


def answer_schema(template: str, method: str, status: int) -> str | None:
    """The pointer to the schema of an answer; None where its content is no JSON."""
    answers = operation(template, method)["responses"]
    key = str(status) if str(status) in answers else "default"
    found = answers[key]
    place = ["paths", template, method.lower(), "responses", key]
    if "$ref" in found:
        place = found["$ref"].removeprefix("#/").split("/")
        found = document()["components"]["responses"][place[-1]]
    return _pointer(*place, "content", "application/json", "schema") if _is_json(found) else None


def _is_json(answer: Mapping[str, Any]) -> bool:
    return "application/json" in answer.get("content", ())


def _parameters(template: str, method: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    path = document()["paths"][template]
    for place, owner in ((("paths", template), path), (("paths", template, method), path[method])):
        for number, parameter in enumerate(owner.get("parameters", ())):
            if "$ref" in parameter:
                where = parameter["$ref"].removeprefix("#/").split("/")
                yield _pointer(*where), document()["components"]["parameters"][where[-1]]
            else:
                yield _pointer(*place, "parameters", str(number)), parameter


def _typed(text: str, kind: str) -> Any:
    if kind == "integer":
        if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
            raise ValueError(text)
        return int(text)
    if kind == "number":
        if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", text, re.ASCII):
            raise ValueError(text)
        return float(text)
    if kind == "boolean":
        if text not in _WORDS:
            raise ValueError(text)
        return _WORDS[text]
    return text


def _pointer(*parts: str) -> str:
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in ("", *parts))


@cache
def _validator(pointer: str) -> Any:
    from jsonschema import Draft202012Validator, validators
    from jsonschema.exceptions import ValidationError

    def pattern(validator: object, wanted: str, value: object, schema: object) -> Iterator[Any]:
        # Python's `$` lets a line end follow, and its `\d` takes digits of all scripts.
        exact = wanted[:-1] + r"\Z" if wanted.endswith("$") else wanted
        if isinstance(value, str) and not re.search(exact, value, re.ASCII):
            yield ValidationError(f"{value[:200]!r} does not match {wanted}")

    kind = validators.extend(Draft202012Validator, {"pattern": pattern})
    return kind({"$ref": f"{_URI}#{pointer}"}, registry=_registry())


@cache
def _registry() -> Any:
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    resource: Any = DRAFT202012.create_resource(document())
    registry: Any = Registry()
    return registry.with_resource(_URI, resource)
