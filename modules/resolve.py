"""An asynchronous function: many calls wait at the same time. Answers the addresses of a host name."""

import asyncio


async def entry_call(host: str) -> list:
    found = await asyncio.get_running_loop().getaddrinfo(host, None)
    return sorted({address[0] for *_, address in found})
