"""The routes about runs, as thin as they come; those about hosts: `handlers.py`."""

from __future__ import annotations

from urllib.parse import quote

from .api import ApiHandler, permitted
from .problems import NotFound

_BLOCK = 1 << 18


class RunsHandler(ApiHandler):
    template = "/runs"

    @permitted("read")
    async def get(self) -> None:
        await self.answer_long(await self.manager.runs.listing(self.values()))

    @permitted("execute")
    async def post(self) -> None:
        body = self.body()
        await self.manager.hosts.document(body["host"])
        self.start("run", self.manager.run_actions.run(body), host=body["host"])


class RunHandler(ApiHandler):
    template = "/runs/{run}"

    @permitted("read")
    async def get(self, run: str) -> None:
        self.answer(await self.manager.runs.detail(self.value("run")))

    @permitted("write")
    async def patch(self, run: str) -> None:
        run, label = self.value("run"), self.body()["label"]
        found = await self.manager.runs.find(run)
        self.start("label", self.manager.run_actions.label(run, label), host=found.host, run=run)


class RunActionHandler(ApiHandler):
    template = "/runs/{run}/{action}"

    @permitted("execute")
    async def post(self, run: str, action: str) -> None:
        run, action = self.value("run"), self.value("action")
        found, options = await self.manager.runs.find(run), self.body()
        work = self.manager.run_actions.work(action, run, options)
        self.start(action, work, host=options.get("host") or found.host, run=run)


class BatchHandler(ApiHandler):
    template = "/batch"

    @permitted("execute")
    async def post(self) -> None:
        body = self.body()
        self.start(body["action"], self.manager.batch.work(body))


class OutputHandler(ApiHandler):
    template = "/runs/{run}/output"

    @permitted("read")
    async def get(self, run: str) -> None:
        values = self.values()
        self.answer(await self.manager.output(values["run"], values["from_line"], values["lines"]))


class DisplayHandler(ApiHandler):
    template = "/runs/{run}/displays/{number}"

    @permitted("read")
    async def get(self, run: str, number: str) -> None:
        display = await self.manager.display(self.value("run"), self.value("number"))
        if display is None:
            raise NotFound(f"run {run} has no display {number} here")
        self.answer(display)


class CellHandler(ApiHandler):
    template = "/runs/{run}/cell"

    @permitted("read")
    async def get(self, run: str) -> None:
        self.answer(await self.manager.cell(self.value("run")))


class MetricsHandler(ApiHandler):
    template = "/runs/{run}/metrics"

    @permitted("read")
    async def get(self, run: str) -> None:
        values = self.values()
        self.answer(await self.manager.metrics(values["run"], values["points"], values.get("name")))


class ArtifactsHandler(ApiHandler):
    template = "/runs/{run}/artifacts"

    @permitted("read")
    async def get(self, run: str) -> None:
        self.answer(await self.manager.artifact_list(self.value("run")))


class ArtifactHandler(ApiHandler):
    template = "/runs/{run}/artifact"

    @property
    def content_security_policy(self) -> str:
        """As for all routes, and in a sandbox."""
        return f"{super().content_security_policy}; sandbox"

    @permitted("read")
    async def get(self, run: str) -> None:
        values = self.values()
        download = await self.manager.artifact(values["run"], values["path"])
        with download.file as file:
            # Whatever it holds, no browser runs it or takes it for a page of this server.
            self.set_header("Content-Type", "application/octet-stream")
            self.set_header(
                "Content-Disposition", f"attachment; filename*=UTF-8''{quote(download.name, safe='')}"
            )
            self.set_header("Content-Length", str(download.size))
            self.set_header("X-Content-Type-Options", "nosniff")
            left = download.size
            while left and (block := await self.manager.bridge.here(file.read, min(_BLOCK, left))):
                left -= len(block)
                self.write(block)
                await self.flush()
        self.finish(set_content_type="application/octet-stream")


class CompareHandler(ApiHandler):
    template = "/compare"

    @permitted("read")
    async def get(self) -> None:
        values = self.values()
        ids = values["ids"].split(",")
        await self.answer_long(await self.manager.compared(ids, values.get("metric"), values["points"]))


HANDLERS: tuple[type[ApiHandler], ...] = (
    RunsHandler,
    RunHandler,
    OutputHandler,
    DisplayHandler,
    CellHandler,
    MetricsHandler,
    ArtifactsHandler,
    ArtifactHandler,
    CompareHandler,
    RunActionHandler,
    BatchHandler,
)
