"""The routes about what hosts have besides sessions and runs: campaigns, environments, forwarded ports."""

from __future__ import annotations

from .api import ApiHandler, permitted


class CampaignsHandler(ApiHandler):
    template = "/hosts/{host}/campaigns"

    @permitted("read")
    async def get(self, host: str) -> None:
        host = self.value("host")
        await self.manager.hosts.document(host)
        self.answer(await self.manager.belongings.get("campaigns", host))


class CampaignActionHandler(ApiHandler):
    template = "/hosts/{host}/campaigns/{campaign}/{action}"

    @permitted("execute")
    async def post(self, host: str, campaign: str, action: str) -> None:
        from . import campaigns  # what a server imports when it starts is little

        values, options = self.values(), self.body()
        host = values["host"]
        await self.manager.hosts.document(host)
        work = campaigns.work(values["action"], host, values["campaign"], options)
        self.start(f"campaign_{values['action']}", self.manager.then_look("campaigns", host, work), host=host)


class EnvironmentsHandler(ApiHandler):
    template = "/hosts/{host}/environments"

    @permitted("read")
    async def get(self, host: str) -> None:
        host = self.value("host")
        await self.manager.hosts.document(host)
        self.answer(await self.manager.belongings.get("environments", host))


class EnvironmentHandler(ApiHandler):
    template = "/hosts/{host}/environments/{environment}"

    @permitted("write")
    async def delete(self, host: str, environment: str) -> None:
        values = self.values()
        host = values["host"]
        await self.manager.hosts.document(host)
        work = self.manager.host_actions.remove_environment(host, values["environment"], values["force"])
        self.start("remove_environment", self.manager.then_look("environments", host, work), host=host)


class HostForwardsHandler(ApiHandler):
    template = "/hosts/{host}/forwards"

    @permitted("execute")
    async def post(self, host: str) -> None:
        host, options = self.value("host"), self.body()
        await self.manager.hosts.document(host)
        self.start("forward", self.manager.forwards.open(host, options), host=host)


class ForwardsHandler(ApiHandler):
    template = "/forwards"

    @permitted("read")
    async def get(self) -> None:
        self.answer(await self.manager.belongings.forwards())


class ForwardHandler(ApiHandler):
    template = "/forwards/{forward}"

    @permitted("write")
    async def delete(self, forward: str) -> None:
        from . import forwards  # as above

        forward = self.value("forward")
        host = await self.manager.bridge.here(lambda: str(forwards.find(forward)[1]["host"]))
        self.start("end_forward", self.manager.forwards.end(forward), host=host)


HANDLERS: tuple[type[ApiHandler], ...] = (
    CampaignsHandler,
    CampaignActionHandler,
    EnvironmentsHandler,
    EnvironmentHandler,
    HostForwardsHandler,
    ForwardsHandler,
    ForwardHandler,
)
