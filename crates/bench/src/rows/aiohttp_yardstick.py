"""The yardstick of the plugin rows: aiohttp serving one trivial handler in one process."""

import asyncio
import sys

from aiohttp import web


async def value(request):
    return web.json_response({"value": 1})


async def main():
    app = web.Application()
    app.router.add_get("/bench", value)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = site._server.sockets[0].getsockname()[:2]
    print(f"serving on {host}:{port}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
