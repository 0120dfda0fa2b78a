"""Who may ask what: every route of the extension, with and without leave, and with nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import websocket_connect

from jupyter_remote.server import contract
from jupyter_remote.server.routes import ROUTES as HANDLERS

pytest_plugins = ["pytest_jupyter.jupyter_server"]

Fetch = Callable[..., Awaitable[HTTPResponse]]

RUN = "20261122-014500-7f3a"
SAMPLES = {"host": "local", "run": RUN, "operation": "ab12", "prompt": "ab12", "session": "s", "number": "0"}
SAMPLES |= {"campaign": "sweep", "environment": "torch", "forward": "1-00000000"}
ACTIONS = {"/hosts/{host}/{action}": "doctor", "/runs/{run}/{action}": "stop"}
ACTIONS["/hosts/{host}/campaigns/{campaign}/{action}"] = "stop"
VERBS = ("get", "post", "patch", "put", "delete")
# From the handlers themselves, so that no route can be forgotten.
ROUTES = [(one.template, verb.upper()) for one in HANDLERS for verb in VERBS if verb in vars(one)]
HOSTILE = [
    "..",
    "../..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "a%0a",
    "a b",
    "%ff",
    "%c0%ae",
    "a" * 5000,
    "'\"<",
]


def path_of(template: str) -> str:
    path = template
    for name, value in {**SAMPLES, "action": ACTIONS.get(template, "")}.items():
        path = path.replace(f"{{{name}}}", value)
    return path


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_remote": True}},
        "RemoteServerApp": {"check_answers": True},
    }


@pytest.fixture
def ask(jp_fetch: Fetch) -> Fetch:
    """An answer, whatever its status is."""

    async def fetch(method: str, path: str, body: Any = None, **more: Any) -> HTTPResponse:
        if method in ("POST", "PATCH", "PUT"):
            more["body"] = body if isinstance(body, bytes) else json.dumps({} if body is None else body)
        return await jp_fetch("jupyter-remote/api", path, method=method, raise_error=False, **more)

    return fetch


@pytest.fixture(autouse=True)
def executor(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """The client looks names up in threads, which the fixtures of pytest-jupyter leave to the end."""
    yield
    jp_asyncio_loop.run_until_complete(jp_asyncio_loop.shutdown_default_executor())


@pytest.fixture
def cookies(jp_asyncio_loop: asyncio.AbstractEventLoop, ask: Fetch) -> dict[str, str]:
    """The headers of a browser that is logged in: cookies, and no token."""
    answer = jp_asyncio_loop.run_until_complete(ask("GET", "/version"))
    given = SimpleCookie()
    for one in answer.headers.get_list("Set-Cookie"):
        given.load(one)
    # As a page of the server sets it; what counts is that cookie and header are the same.
    xsrf = "2|00000000|00112233445566778899aabbccddeeff|1795740000"
    said = "; ".join([f"_xsrf={xsrf}", *(f"{name}={value.coded_value}" for name, value in given.items())])
    return {"Authorization": "", "Cookie": said, "X-XSRFToken": xsrf}


class Nobody(Authorizer):
    """Lets those who are logged in do nothing with our resource."""

    asked: list[tuple[str, str]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return False


@pytest.fixture
def nobody() -> Iterator[type[Nobody]]:
    Nobody.asked.clear()
    yield Nobody


def is_problem(answer: HTTPResponse) -> bool:
    contract.check(contract.schema("Problem"), json.loads(answer.body))
    return True


async def test_no_route_answers_without_a_token(ask: Fetch) -> None:
    for template, method in ROUTES:
        for headers in ({"Authorization": "token wrong"}, {"Authorization": ""}):
            answer = await ask(method, path_of(template), headers=headers)
            assert answer.code == 403, (method, template, answer.body)
            assert template == "/events" or is_problem(answer)
    answer = await ask("GET", "/no/such/route", headers={"Authorization": ""})
    assert answer.code == 403


async def test_no_route_answers_against_the_authorizer(
    jp_configurable_serverapp: Callable[..., Any], jp_server_config: Any, nobody: type[Nobody]
) -> None:
    from jupyter_server.utils import url_path_join
    from tornado.httpclient import AsyncHTTPClient

    app = jp_configurable_serverapp(config=jp_server_config, authorizer_class=nobody)
    app.web_app  # noqa: B018
    import tornado.httpserver
    from tornado.testing import bind_unused_port

    sock, port = bind_unused_port()
    server = tornado.httpserver.HTTPServer(app.web_app)
    server.add_socket(sock)
    try:
        for template, method in ROUTES:
            nobody.asked.clear()
            url = url_path_join(
                f"http://127.0.0.1:{port}", app.base_url, "jupyter-remote/api", path_of(template)
            )
            answer = await AsyncHTTPClient().fetch(
                url,
                method=method,
                headers={"Authorization": f"token {app.identity_provider.token}"},
                raise_error=False,
                body=b"{}" if method in ("POST", "PATCH") else None,
            )
            assert answer.code == 403, (method, template, answer.body)
            [(action, resource)] = nobody.asked
            assert resource == "jupyter-remote"
            assert (action == "read") == (method == "GET" and template != "/events"), (template, action)
    finally:
        server.stop()
        await server.close_all_connections()


async def test_a_foreign_page_gets_nothing_although_the_browser_is_logged_in(
    ask: Fetch, jp_http_port: int, jp_base_url: str, cookies: dict[str, str]
) -> None:
    foreign = {**cookies, "Origin": "http://evil.example"}
    for template, method in ROUTES:
        answer = await ask(method, path_of(template), headers=dict(foreign))
        if template != "/events":
            assert answer.code in (403, 404) and is_problem(answer), (method, template, answer.body)
    url = f"ws://127.0.0.1:{jp_http_port}{jp_base_url}jupyter-remote/api/events"
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(HTTPRequest(url, headers=foreign))
    assert refused.value.code == 403
    socket = await websocket_connect(HTTPRequest(url, headers=cookies))
    assert json.loads(await socket.read_message() or "")["subject"] == "hello"
    socket.close()


async def test_what_changes_something_needs_the_xsrf_header(ask: Fetch, cookies: dict[str, str]) -> None:
    without = {name: value for name, value in cookies.items() if name != "X-XSRFToken"}
    for template, method in ROUTES:
        if method != "GET":
            answer = await ask(method, path_of(template), headers=dict(without))
            assert answer.code == 403 and b"XSRF" in answer.body.upper(), (method, template, answer.body)
    assert (await ask("GET", "/runs", headers=dict(without))).code == 200
    assert (await ask("DELETE", "/operations/ab", headers=dict(cookies))).code == 404


async def test_a_socket_needs_a_token(jp_ws_fetch: Fetch) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("jupyter-remote/api/events", headers={"Authorization": "token wrong"})
    assert refused.value.code == 403


async def test_names_that_lead_elsewhere_are_not_found(ask: Fetch) -> None:
    for template, method in ROUTES:
        for name in SAMPLES:
            for hostile in HOSTILE:
                if f"{{{name}}}" in template:
                    path = path_of(template.replace(f"{{{name}}}", hostile))
                    answer = await ask(method, path)
                    assert answer.code in (400, 404, 405), (method, path, answer.code, answer.body)


async def test_nonsense_is_refused_and_names_what_is_wrong(ask: Fetch) -> None:
    for method, path, body, status in (
        ("POST", "/runs", b"{", 400),
        ("POST", "/runs", b"[1]", 422),
        ("POST", "/runs", {"host": "nowhere", "code": ""}, 404),
        ("POST", "/runs", {"host": "local", "code": "\ud800"}, 400),
        ("POST", "/runs", b"x" * (9 << 20), 413),
        ("POST", "/hosts/local/fly", None, 404),
        ("POST", "/hosts/nowhere/connect", None, 404),
        ("POST", "/hosts", {"target": "a b", "setup": False}, 422),
        ("PATCH", "/hosts/local", {"settings": {"nonsense": 1}}, 422),
        ("DELETE", "/hosts/local", None, 404),
        ("DELETE", "/operations/ab", None, 404),
        ("POST", "/prompts/ab", {"answer": "x"}, 404),
        ("POST", "/prompts/ab", {"answer": "x", "cancel": True}, 422),
        ("GET", f"/runs/{RUN}", None, 404),
        ("GET", f"/runs/{RUN}/output", None, 404),
        ("PUT", "/runs", None, 405),
        ("GET", "/nothing", None, 404),
        ("GET", "/events", None, 400),
    ):
        answer = await ask(method, path, body)
        assert answer.code == status, (method, path, answer.code, answer.body)
        if path != "/events":
            assert is_problem(answer)
    problem = json.loads((await ask("POST", "/hosts/nowhere/connect")).body)
    assert problem["kind"] == "UnknownHost" and "nowhere" in problem["message"]
