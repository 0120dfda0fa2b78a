"""The routes about hosts, operations and questions, thin; those about runs are in `run_handlers.py`.

What may come in is said by rest-api.yml, what is done by `manager.py`.
"""

from __future__ import annotations

from .api import ApiHandler, permitted


class VersionHandler(ApiHandler):
    template = "/version"

    @permitted("read")
    async def get(self) -> None:
        self.answer(self.manager.version())


class HostsHandler(ApiHandler):
    template = "/hosts"

    @permitted("read")
    async def get(self) -> None:
        self.answer(await self.manager.hosts.listing())

    @permitted("execute")
    async def post(self) -> None:
        body = self.body()
        if body.get("setup", True):
            self.start("add", self.manager.host_actions.add(body))
        else:
            self.answer(await self.manager.add_host(body), 201)


class HostHandler(ApiHandler):
    template = "/hosts/{host}"

    @permitted("read")
    async def get(self, host: str) -> None:
        self.answer(await self.manager.hosts.detail(self.value("host")))

    @permitted("execute")
    async def patch(self, host: str) -> None:
        self.answer(await self.manager.change_host(self.value("host"), self.body()["settings"]))

    @permitted("write")
    async def delete(self, host: str) -> None:
        await self.manager.remove_host(self.value("host"))
        self.nothing()


class HostActionHandler(ApiHandler):
    template = "/hosts/{host}/{action}"

    @permitted("execute")
    async def post(self, host: str, action: str) -> None:
        host, action = self.value("host"), self.value("action")
        await self.manager.hosts.document(host)
        self.start(action, self.manager.host_actions.work(action, host, self.body()), host=host)


class SessionHandler(ApiHandler):
    template = "/hosts/{host}/sessions/{session}"

    @permitted("write")
    async def delete(self, host: str, session: str) -> None:
        host = self.value("host")
        await self.manager.hosts.document(host)
        work = self.manager.host_actions.stop_session(host, self.value("session"))
        self.start("stop_session", work, host=host)


class SessionsHandler(ApiHandler):
    template = "/sessions"

    @permitted("read")
    async def get(self) -> None:
        self.answer({"sessions": self.manager.hosts.sessions(self.values().get("host"))})


class OperationsHandler(ApiHandler):
    template = "/operations"

    @permitted("read")
    async def get(self) -> None:
        self.answer({"operations": self.manager.operations.listing()})


class OperationHandler(ApiHandler):
    template = "/operations/{operation}"

    @permitted("read")
    async def get(self, operation: str) -> None:
        self.answer(self.manager.operations.get(self.value("operation")).document())

    @permitted("write")
    async def delete(self, operation: str) -> None:
        self.manager.operations.cancel(self.value("operation"))
        self.nothing()


class PromptsHandler(ApiHandler):
    template = "/prompts"

    @permitted("read")
    async def get(self) -> None:
        self.answer({"prompts": self.manager.prompts.listing()})


class PromptHandler(ApiHandler):
    template = "/prompts/{prompt}"

    @permitted("write")
    async def post(self, prompt: str) -> None:
        self.manager.prompts.answer(self.value("prompt"), self.body().get("answer"))
        self.nothing()


HANDLERS: tuple[type[ApiHandler], ...] = (
    VersionHandler,
    HostsHandler,
    HostHandler,
    HostActionHandler,
    SessionHandler,
    SessionsHandler,
    OperationsHandler,
    OperationHandler,
    PromptsHandler,
    PromptHandler,
)
