"""What all routes have in common: who may, what comes in, what goes out, and errors as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

if TYPE_CHECKING:
    from .app import RemoteServerApp
    from .manager import Manager
    from .operations import Work

BASE = "/jupyter-remote/api"
AUTH_RESOURCE = "jupyter-remote"

Method = TypeVar("Method", bound=Callable[..., Any])


def permitted(action: str) -> Callable[[Method], Method]:
    """Lets nobody in who is not logged in, and may not do that with our resource.

    Args:
        action: ``read``, ``write`` or ``execute``, for the server's authorizer.
    """

    def decorate(method: Method) -> Method:
        guarded: Any = authorized(action)
        return cast(Method, web.authenticated(guarded(method)))

    return decorate


class ApiHandler(APIHandler):  # type: ignore[misc,unused-ignore]
    """One path of rest-api.yml.

    Attributes:
        template: the path, as the document has it.
    """

    auth_resource = AUTH_RESOURCE
    template: ClassVar[str] = ""

    def initialize(self, extension: RemoteServerApp) -> None:
        self._extension = extension

    @cached_property
    def manager(self) -> Manager:
        """What answers; made with the first request."""
        return self._extension.manager()

    @cached_property
    def _values(self) -> dict[str, Any]:
        from . import contract

        query = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        method = str(self.request.method)
        return contract.read_parameters(self.template, method, self.path_kwargs, query)

    def values(self) -> dict[str, Any]:
        """The parameters of path and query.

        Raises:
            NotFound, Invalid: one can't be.
        """
        return self._values

    def value(self, name: str) -> Any:
        """One of them; errors as `values`."""
        return self._values[name]

    def body(self) -> dict[str, Any]:
        """The request's body.

        Raises:
            BadRequest, Invalid, TooLarge: it can't be used.
        """
        from . import contract
        from .problems import TooLarge

        if len(self.request.body) > contract.MAX_BODY:
            raise TooLarge(f"the request's body has more than {contract.MAX_BODY >> 20} MiB")
        return contract.read_body(self.template, str(self.request.method), self.request.body)

    def answer(self, document: dict[str, Any], status: int = 200) -> None:
        """Sends a document."""
        if self._extension.check_answers:
            self._check(document, status)
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(_written(document))

    async def answer_long(self, document: dict[str, Any]) -> None:
        """Sends one that takes a while to write down, which a thread does: the loop has others to serve."""
        text = await self.manager.bridge.here(_written, document)
        if self._extension.check_answers:
            self._check(document, 200)
        self.set_header("Cache-Control", "no-store")
        self.finish(text)

    def start(self, action: str, work: Work, **about: str) -> None:
        """Begins an operation, and sends it."""
        self.answer(self.manager.operations.start(action, work, **about), 202)

    def nothing(self) -> None:
        """Sends that it is done."""
        self.set_status(204)
        self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Sends an error as ``Problem`` of rest-api.yml."""
        from ..errors import RemoteError
        from .problems import problem_of, status_of

        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, web.HTTPError) or error is None:
            phrase = HTTPStatus(status_code).phrase
            told = (error.log_message if error is not None and status_code < 500 else None) or phrase
            problem = {"message": told, "hint": "", "kind": phrase.title().replace(" ", ""), "host": None}
        else:
            problem, status_code = problem_of(error), status_of(error)
        if isinstance(error, RemoteError):
            self.log.debug("jupyter_remote: %s", error.message)
        self.set_status(status_code)
        self.finish(json.dumps(problem))

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """What a user can act on is told to the page, and is no fault of the server."""
        from ..errors import RemoteError
        from .problems import status_of

        if not isinstance(error, RemoteError) or status_of(error) >= 500:
            super().log_exception(kind, error, trace)

    def _check(self, document: dict[str, Any], status: int) -> None:
        from . import contract

        schema = contract.answer_schema(self.template, str(self.request.method), status)
        assert schema is not None
        contract.check(schema, document)


def _written(document: dict[str, Any]) -> str:
    return json.dumps(document, allow_nan=False)


class NoSuchRoute(ApiHandler):
    """Every other path below ours."""

    @permitted("read")
    async def get(self, path: str) -> None:
        raise web.HTTPError(404, "there is no such route")

    post = patch = put = delete = get
