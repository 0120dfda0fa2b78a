"""What a page sees of hosts and runs: real servers, real websockets, real hosts."""

from __future__ import annotations

from pages import Server, served


def test_first_look(served: Server) -> None:
    print(served.get("/version"))
    print(served.get("/hosts"))
    print(served.done("/hosts/local/connect"))
    run = served.run("print('hello'); 1/0")
    print(served.await_run(run))
    with served.page() as page:
        print(page.subject("hello"))
        page.say(subscribe=[f"output:{run}", "samples:local"])
        print(page.subject("output", complete=True))
        print(page.subject("sample"))
    print(served.get(f"/runs/{run}/output"))
    print(served.get(f"/runs/{run}/cell"))
    print(served.get(f"/runs/{run}/metrics"))
    print(served.get(f"/runs/{run}/artifacts"))
    print(served.get("/compare", ids=run))
    print(served.get("/runs"))
    print(served.get("/sessions"))
    print(served.log.read_text())


__all__ = ["served"]
