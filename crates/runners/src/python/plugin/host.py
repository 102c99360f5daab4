"""Runs one file of plugins for the server: loads it, then answers calls of its classes in one loop, over one socket.

Frames both ways: u32 length of the body, u64 id, both big-endian, then the body. Frames with id 0 are JSON: the
order to load and the report on it, {"cancel": id}, {"end": true} and its {"ended": true}. A call's body is u32
length of its head, the head (JSON [index, answer limit in bytes, values, request, client_ip, subpath]) and the
request's body. Each call has one answer, whose body is a letter and what belongs to it: J the JSON text; R u32 length
of the head, {"status", "headers"} and the body; A (its values do not fit) and F (it failed) a message; L (too large)
and O (cancelled) nothing.

Handlers written as `async def` run at the same time, each in a task of its own; others hold the loop while they
run. Whatever a plugin raises becomes the answer of its own call.
"""

import gc

gc.disable()  # what is imported here stays: looking for garbage in it only takes time

import asyncio
import importlib.machinery
import inspect
import json
import os
import socket
import struct
import sys
import types

CANCELLED = b"O"
HEADER, LENGTH = struct.Struct(">IQ"), struct.Struct(">I")
CHUNK = 256 * 1024
MOST_WAITING = 8 * 1024 * 1024
SLOW = 0.001  # seconds that calls may hold the loop before answers are written and what has come is read
GRACE = 1.0  # seconds that cancelled tasks have at the end
PLAIN = (dict, tuple, str, list)
DECODE = json.JSONDecoder().raw_decode
PACKAGES = {
    "plugincore": "from plugincore.baseplugin import BasePlugin\n",
    "aiohttp": "from aiohttp import web\n",
}
REFUSALS = {
    "plugincore": "plugins find BasePlugin in plugincore.baseplugin, and nothing else of plugincore",
    "aiohttp": "only the answers of aiohttp.web are here; install aiohttp in the interpreter ([Runners] Python) for more",
}


class Channel:
    """The socket to the server, which comes as descriptor 0 and is moved out of the plugins' way."""

    def __init__(self, loop, take, closed):
        self.socket = socket.socket(fileno=os.dup(0))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        self.socket.setblocking(False)
        self.loop, self.take, self.closed = loop, take, closed
        self.input, self.output, self.rest = bytearray(), [], memoryview(b"")
        # One for good: an object of this size for each read would be mapped and unmapped by the kernel.
        self.buffer = memoryview(bytearray(CHUNK))
        self.waiting, self.writing, self.reading = 0, False, False
        self.process = os.getpid()
        os.register_at_fork(after_in_child=self.leave)
        self.read_on()

    def leave(self):
        """Closes the socket in a process that a plugin has forked, and ends it should it come back to the loop."""
        descriptor = self.socket.detach()
        if descriptor >= 0:
            os.close(descriptor)
        self.loop.call_soon(os._exit, 0)

    def read_on(self):
        """Reads unless too much waits to be written."""
        wanted = self.waiting <= MOST_WAITING
        if wanted and not self.reading:
            self.loop.add_reader(self.socket, self.readable)
            self.loop.call_soon(self.parse, self.input)
        elif self.reading and not wanted:
            self.loop.remove_reader(self.socket)
        self.reading = wanted

    def readable(self):
        try:
            data = self.buffer[: self.socket.recv_into(self.buffer)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.loop.remove_reader(self.socket)
            self.closed()
            return
        if self.input:
            self.input += data
            data = self.input
        self.parse(data)

    def parse(self, data):
        """Takes the whole frames, as long as it may read on; keeps what is left."""
        start, end = 0, len(data)
        kept = data is self.input
        data = memoryview(data)  # a slice of it is no copy
        while self.reading and end - start >= HEADER.size:
            length, number = HEADER.unpack_from(data, start)
            stop = start + HEADER.size + length
            if stop > end:
                break
            self.take(number, bytes(data[start + HEADER.size : stop]))
            start = stop
        if not kept:
            self.input += data[start:]
            return
        data.release()
        del self.input[:start]

    def send(self, number, body):
        """Keeps an answer until the loop's next turn, which writes all of them at once."""
        # A plugin that forked and returned in the child must not answer twice.
        if os.getpid() != self.process:
            os._exit(0)
        if not self.output:
            self.loop.call_soon(self.flush)
        self.output += (HEADER.pack(len(body), number), body)
        self.waiting += HEADER.size + len(body)
        if self.waiting > MOST_WAITING:
            self.read_on()

    def report(self, **members):
        self.send(0, json.dumps(members, ensure_ascii=False).encode("utf-8", "replace"))

    def close(self):
        """Writes what waits, for a second at most, and closes the socket."""
        self.socket.settimeout(GRACE)
        try:
            self.socket.sendall(b"".join((self.rest, *self.output)))
        except OSError:
            pass  # then the server no longer listens
        self.socket.close()

    def flush(self):
        """Writes what waits; when the socket is full the loop calls again."""
        while self.rest or self.output:
            if not self.rest:
                self.rest, self.output = memoryview(b"".join(self.output)), []
            try:
                sent = self.socket.send(self.rest)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self.rest, self.output, sent = memoryview(b""), [], self.waiting  # closed; reading tells
            self.rest = self.rest[sent:]
            self.waiting -= sent
        if self.rest and not self.writing:
            self.loop.add_writer(self.socket, self.flush)
        elif self.writing and not self.rest:
            self.loop.remove_writer(self.socket)
        self.writing = bool(self.rest)
        if not self.reading:
            self.read_on()


class StandIns:
    """Finds and loads a package that the server brings."""

    def __init__(self, package, sources):
        self.package = package
        self.sources = {package: PACKAGES[package], **sources}

    def find_spec(self, name, path=None, target=None):
        package = name.partition(".")[0]
        if package != self.package:
            return None
        if name != package and getattr(sys.modules[package].__spec__, "loader", None) is not self:
            return None
        if name not in self.sources:
            raise ImportError(f"{name}: {REFUSALS[package]}", name=name)
        # All are packages, so that `from NAME import X` asks here for an X they do not have.
        return importlib.machinery.ModuleSpec(name, self, origin=f"<{name}>", is_package=True)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__

        def refuse(attribute):
            raise AttributeError(f"{name}.{attribute}: {REFUSALS[self.package]}")

        module.__getattr__ = refuse
        exec(compile(self.sources[name], f"<{name}>", "exec", dont_inherit=True), module.__dict__)


class Host:
    """The plugins of the file and the calls they have not yet answered."""

    def __init__(self, loop):
        self.loop, self.plugins, self.queue, self.calls, self.cancelled = loop, [], {}, {}, set()
        self.kept, self.loading, self.ending, self.log, self.exchange = set(), *[None] * 4
        self.channel = Channel(loop, self.take, self.end)

    def take(self, number, body):
        """Takes one frame; calls wait until all that has come is read, so that one can be cancelled before it begins."""
        if number:
            if not self.queue:
                self.loop.call_soon(self.work)
            self.queue[number] = body
            return
        order = json.loads(body)
        if self.loading is None:
            self.loading = self.loop.create_task(self.load(order))
            self.loading.add_done_callback(self.loaded)
        elif "cancel" in order:
            self.cancel(order["cancel"])
        elif "end" in order:
            self.end(reply=True)

    def work(self):
        """Begins the calls that wait; when one has held the loop for long, what has come meanwhile is read first."""
        started = self.loop.time()
        while self.queue:
            number = next(iter(self.queue))
            self.begin(number, self.queue.pop(number))
            if self.queue and self.loop.time() - started > SLOW:
                self.loop.call_soon(self.work)
                break

    def keep(self, coroutine, *arguments):
        """Makes a task of a coroutine, or of what a function returns, and keeps it; plugins get it as task_callback."""
        if callable(coroutine):
            coroutine = coroutine(*arguments)
        if not inspect.isawaitable(coroutine):
            return coroutine
        task = asyncio.ensure_future(coroutine, loop=self.loop)
        self.kept.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self.kept.discard)
        return task

    async def load(self, order):
        """Loads the file and makes an instance of each plugin class it defines; reports on them."""
        name, failed, told = order["name"], [], []
        sys.meta_path.insert(0, StandIns("plugincore", order["standins"]))
        sys.meta_path.append(StandIns("aiohttp", order["standins"]))
        sys.path.insert(0, order["folder"])
        from plugincore import baseplugin, exchange

        self.exchange, options = exchange, types.SimpleNamespace(**order["options"])
        gc.freeze()
        gc.enable()
        self.log, config = baseplugin.Log(name, options.level), baseplugin.settings(order["config"])
        own = {"config": config, "log": self.log, "task_callback": self.keep, "args": options, "prog_args": options}
        kinds = []
        try:
            module = baseplugin.PluginFile(order["file"], order["source"].encode("latin-1")).load(name)
            kinds = baseplugin.plugin_classes(module)
        except BaseException as error:
            failed.append({"class": "", "error": exchange.debug_trace(error, self.log)})
        for kind in kinds:
            try:
                instance = await self.construct(kind, {**order["kwargs"], **own})
                plugin = baseplugin.Plugin(instance, order["kwargs"].get("access", "read"))
                told.append(plugin.describe(len(self.plugins)))
                self.plugins.append(plugin)
            except BaseException as error:
                failed.append({"class": kind.__name__, "error": exchange.debug_trace(error, self.log)})
        self.channel.report(plugins=told, failed=failed)

    def loaded(self, loading):
        """Ends the process when it could not even begin to load."""
        if not loading.cancelled() and loading.exception() is not None:
            os._exit(print(f"cannot load: {loading.exception()!r}") or 1)

    async def construct(self, kind, arguments):
        """Makes an instance and waits until it is initialized."""
        instance = kind(**arguments)
        initialize = getattr(instance, "initialize", None)
        if initialize is not None:
            # In a task of its own, so that one which cancels itself ends nothing else.
            result = self.keep(contained(initialize, arguments))
            await asyncio.wait({result})
            if result.cancelled():
                raise asyncio.CancelledError("initialize was cancelled")
            if result.result() is not None:
                raise result.result()
        return instance

    def begin(self, number, body):
        """Starts a call, and ends it unless the handler is asynchronous."""
        if self.ending or self.exchange is None:
            self.channel.send(number, CANCELLED)
            return
        limit = 0
        try:
            (size,) = LENGTH.unpack_from(body)
            start = LENGTH.size + size
            index, limit, values, parts, client_ip, subpath = DECODE(str(body[LENGTH.size : start], "utf-8"))[0]
            plugin = self.plugins[index]
            own = self.exchange.own_values(plugin.id, parts, client_ip, body, start)
            own["subpath"], own["log"] = subpath, self.log
            result = plugin.entry(**plugin.bind(values, own))
            kind = type(result)
            if kind is types.CoroutineType or (kind not in PLAIN and inspect.isawaitable(result)):
                self.calls[number] = (self.loop.create_task(self.finish(number, result, limit)), result)
                return
            answer = self.exchange.answer(result, limit)
        except BaseException as error:
            answer = self.exchange.refuse(error, limit)
        self.channel.send(number, answer)

    async def finish(self, number, result, limit):
        """Waits for an asynchronous handler and answers its call."""
        try:
            answer = self.exchange.answer(await result, limit)
        except BaseException as error:
            answer = CANCELLED if number in self.cancelled else self.exchange.refuse(error, limit)
        del self.calls[number]
        if number in self.cancelled:
            self.cancelled.discard(number)
            answer = CANCELLED
        self.channel.send(number, answer)

    def cancel(self, number):
        """Cancels a call; it is answered when its handler has ended, at once when it has not begun."""
        if self.queue.pop(number, None) is not None:
            self.channel.send(number, CANCELLED)
        if number not in self.calls:
            return
        task, coroutine = self.calls[number]
        self.cancelled.add(number)
        task.cancel()

        def answer(_):
            # A task that had not begun when it was cancelled has not answered.
            if self.calls.pop(number, None):
                self.cancelled.discard(number)
                self.channel.send(number, CANCELLED)
                getattr(coroutine, "close", int)()

        task.add_done_callback(answer)

    def end(self, reply=False):
        """Unloads the plugins and ends the process."""
        if self.ending is None:
            self.ending = self.loop.create_task(self.unload(reply))

    async def unload(self, reply):
        try:
            for plugin in self.plugins:
                error = await contained(getattr(plugin.instance, "terminate_plugin", int), {})
                if error is not None:
                    self.exchange.log_trace(error)
            for number in [*self.queue, *self.calls]:
                self.cancel(number)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=GRACE)
        except BaseException as error:
            self.exchange.log_trace(error)  # whatever it is, the process ends
        for number in self.calls:
            self.channel.send(number, CANCELLED)
        if reply:
            self.channel.report(ended=True)
        self.channel.close()
        os._exit(0)


async def contained(function, arguments):
    """Calls a function, waits if it is asynchronous, and returns what it raised."""
    try:
        result = function(**arguments)
        if inspect.isawaitable(result):
            await result
    except BaseException as error:
        return error
    return None


def main():
    sys.stdout.reconfigure(errors="backslashreplace")
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    host = Host(loop)
    while True:
        try:
            loop.run_forever()
        except BaseException as error:
            # SystemExit in a task that a plugin has left behind would stop the loop for all.
            host.exchange.log_trace(error)


main()
