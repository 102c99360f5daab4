"""Runs Python functions for the server: loads the modules it is sent, then answers calls over one socket.

Frames both ways: u32 length of the body, u64 id, both big-endian, then the body. Frames with id 0 are JSON: the
order to load, and the reports on it. A call's body is the JSON list [module, answer limit in bytes, seconds,
arguments]; its answer's body is one letter (see below) and the text, the JSON value, or the message.

Functions run one after the other in the main thread, those written as `async def` at the same time in a loop
of their own thread. Whatever a function raises becomes the answer of its own call.

reaper.py stands before this text, as one program with it.
"""

import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import json
import os
import queue
import socket
import struct
import sys
import threading

TEXT, VALUE, BAD_ARGUMENTS, FAILED, TOO_LARGE, TIMEOUT = b"T", b"V", b"A", b"F", b"L", b"O"
HEADER = struct.Struct(">IQ")
LONGEST_MESSAGE = 2000
LARGEST_HELPERS = 16 * 1024 * 1024
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Channel:
    """The socket to the server, which comes as descriptor 0 and is moved out of the functions' way."""

    def __init__(self):
        self.socket = socket.socket(fileno=os.dup(0))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        self.input = self.socket.makefile("rb", buffering=65536)
        self.lock = threading.Lock()
        self.process = os.getpid()
        os.register_at_fork(after_in_child=self.leave)

    def leave(self):
        """Closes the socket in a process that a function has forked."""
        descriptor = self.socket.detach()
        if descriptor >= 0:
            os.close(descriptor)

    def receive(self):
        """The next frame's id and body; ends the process when the server has closed the socket."""
        header = self.input.read(HEADER.size)
        if len(header) == HEADER.size:
            length, number = HEADER.unpack(header)
            body = self.input.read(length)
            if len(body) == length:
                return number, body
        os._exit(0)

    def send(self, number, body):
        # A function that forked and returned in the child must not answer twice.
        if os.getpid() != self.process:
            os._exit(0)
        with self.lock:
            self.socket.sendall(HEADER.pack(len(body), number) + body)

    def report(self, **members):
        self.send(0, json.dumps(members).encode())


class Source:
    """One module's file and its bytes, as the server keeps them."""

    def __init__(self, path, package, text):
        self.path, self.package, self.text = path, package, text


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles a kept source, else the file, which is then kept; byte code on disk is never trusted."""

    kept = {}

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        if fullname not in self.kept:
            self.kept[fullname] = Source(path, self.is_package(fullname), self.get_data(path))
        return self.source_to_code(self.kept[fullname].text, path)


class Finder:
    """Finds the modules whose source is kept, wherever their files have gone."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        kept = Loader.kept.get(name)
        if kept is None:
            return None
        folders = [os.path.dirname(kept.path)] if kept.package else None
        loader = Loader(name, kept.path)
        return importlib.util.spec_from_file_location(
            name, kept.path, loader=loader, submodule_search_locations=folders
        )


def search(folders):
    """Puts the folders on sys.path; what is in them is loaded by Loader."""
    extensions = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    sources = (Loader, importlib.machinery.SOURCE_SUFFIXES)
    files = importlib.machinery.FileFinder.path_hook(extensions, sources)

    def hook(folder):
        if any(folder == root or folder.startswith(root + os.sep) for root in folders):
            return files(folder)
        raise ImportError("not in the search path")

    sys.path[:0] = folders
    sys.path_hooks.insert(0, hook)
    sys.meta_path.insert(0, Finder)


class BadArguments(Exception):
    """The arguments of a call do not fit; the message is for the caller."""


class Function:
    """A module's entry_call and what a call needs to know about it."""

    def __init__(self, module):
        self.entry = getattr(module, "entry_call", None)
        if not callable(self.entry):
            raise TypeError("it has no function entry_call")
        self.asynchronous = inspect.iscoroutinefunction(self.entry)
        self.description = summary(self.entry, module)
        self.names, self.required, self.takes_any = [], [], False
        for name, parameter in inspect.signature(self.entry).parameters.items():
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise TypeError(f"entry_call takes {name} by position, and arguments come by name")
            if parameter.kind is parameter.VAR_KEYWORD:
                self.takes_any = True
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                self.names.append(name)
                if parameter.default is parameter.empty:
                    self.required.append(name)

    def bind(self, arguments):
        """The arguments by name."""
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, dict):
            raise BadArguments("the arguments must be a JSON object")
        missing = [name for name in self.required if name not in arguments]
        unknown = [] if self.takes_any else [name for name in arguments if name not in self.names]
        if missing or unknown:
            parts = [("missing", missing), ("unknown", unknown), ("it takes", self.names)]
            texts = [f"{what}: {', '.join(names)}" for what, names in parts if names]
            raise BadArguments("; ".join(texts if self.names else [*texts, "it takes none"]))
        return arguments


def summary(*documented):
    """The first line of the first docstring, a line being all until an empty one."""
    texts = (inspect.cleandoc(text) for text in (getattr(thing, "__doc__", None) for thing in documented) if text)
    return next((" ".join(text.partition("\n\n")[0].split())[:LONGEST_MESSAGE] for text in texts), "")


def describe(error):
    """Where an exception was raised, its type and message, for the log."""
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be read)"
    where = ""
    if isinstance(error, SyntaxError):
        where, text = f"{error.filename}:{error.lineno}: ", error.msg
    else:
        trace = error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if not file.startswith("<"):
                where = f"{file}:{trace.tb_lineno}: "
            trace = trace.tb_next
    message = f"{where}{type(error).__name__}: {text}"
    return message[:LONGEST_MESSAGE].encode("utf-8", "backslashreplace")


def pack(value, limit):
    """The body of an answer."""
    kind = TEXT if isinstance(value, str) else VALUE
    if kind is TEXT and len(value) > limit:
        return TOO_LARGE
    try:
        body = (value if kind is TEXT else ENCODER.encode(value)).encode()
    except BaseException as error:
        message = f"entry_call gave neither text nor JSON: {type(error).__name__}: {error}"
        return FAILED + message[:LONGEST_MESSAGE].encode("utf-8", "backslashreplace")
    return kind + body if len(body) <= limit else TOO_LARGE


def refuse(error):
    """The body of the answer to arguments that do not fit."""
    return BAD_ARGUMENTS + str(error)[:LONGEST_MESSAGE].encode("utf-8", "backslashreplace")


class Loop:
    """Runs `async def` functions at the same time, in a thread of its own."""

    def __init__(self, channel, reaper):
        import asyncio

        self.asyncio, self.channel, self.reaper, self.calls = asyncio, channel, reaper, set()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        self.asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
            except BaseException as error:
                # SystemExit in a task that a function has left behind would stop the loop for all.
                sys.stderr.write(f"left behind: {describe(error).decode()}\n")

    def start(self, number, function, arguments, limit, seconds):
        self.loop.call_soon_threadsafe(self.begin, number, function, arguments, limit, seconds)

    def begin(self, *call):
        task = self.loop.create_task(self.answer(*call))
        self.calls.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self.calls.discard)

    async def answer(self, number, function, arguments, limit, seconds):
        self.reaper.begin()
        task = self.loop.create_task(self.call(function, arguments, limit))
        await self.asyncio.wait({task}, timeout=seconds)
        in_time = task.done()
        if not in_time:
            task.cancel()
            await self.asyncio.wait({task})
        self.reaper.end()
        self.channel.send(number, task.result() if in_time else TIMEOUT)

    async def call(self, function, arguments, limit):
        try:
            return pack(await function.entry(**function.bind(arguments)), limit)
        except BadArguments as error:
            return refuse(error)
        except BaseException as error:
            return FAILED + describe(error)


def call(function, arguments, limit):
    """Runs a function to its end; the body of the answer."""
    try:
        return pack(function.entry(**function.bind(arguments)), limit)
    except BadArguments as error:
        return refuse(error)
    except BaseException as error:
        return FAILED + describe(error)


def import_module(name):
    """Imports a module whose source is kept, also when Python itself uses another one of that name."""
    present = sys.modules.get(name)
    if present is None or isinstance(getattr(present.__spec__, "loader", None), Loader):
        return importlib.import_module(name)
    spec = Finder.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(channel, order):
    """Loads each module from the first of its sources that works; the functions by module name."""
    for name, path, package, text in order["helpers"]:
        Loader.kept[name] = Source(path, package, text.encode("latin-1"))
    for module in order["modules"]:
        first = module["sources"][0].encode("latin-1")
        Loader.kept[module["name"]] = Source(module["path"], module["package"], first)
    search(order["folders"])
    functions = {}
    for module in order["modules"]:
        name = module["name"]
        for attempt, text in enumerate(module["sources"]):
            channel.report(loading=name, attempt=attempt)
            Loader.kept[name].text = text.encode("latin-1")
            try:
                functions[name] = Function(import_module(name))
            except BaseException as error:
                if isinstance(getattr(sys.modules.get(name), "__loader__", None), Loader):
                    del sys.modules[name]
                channel.report(failed=name, attempt=attempt, error=describe(error).decode())
            else:
                told = {"asynchronous": functions[name].asynchronous, "description": functions[name].description}
                channel.report(loaded=name, attempt=attempt, **told)
                break
    listed = {module["name"] for module in order["modules"]}
    helpers = [
        (name, kept.path, kept.package, kept.text.decode("latin-1"))
        for name, kept in Loader.kept.items()
        if name not in listed
    ]
    if sum(len(helper[3]) for helper in helpers) > LARGEST_HELPERS:
        helpers = []  # then a restarted worker reads them from disk again
    channel.report(ready=True, helpers=helpers)
    return functions


def next_call(channel, functions, loop):
    """The next call for the main thread; an asynchronous one goes straight to its loop."""
    while True:
        number, body = channel.receive()
        module, limit, seconds, arguments = json.loads(body)
        function = functions.get(module)
        if function is None:
            channel.send(number, FAILED + b"the module did not load in this worker")
        elif function.asynchronous:
            loop.start(number, function, arguments, limit, seconds)
        else:
            return number, function, arguments, limit


def serve(channel, functions):
    """Answers calls for ever."""
    reaper = Reaper()
    if not any(function.asynchronous for function in functions.values()):
        take = functools.partial(next_call, channel, functions, None)
    else:
        # Read in a thread of its own, so that a function in the main thread holds no asynchronous one back.
        calls, loop = queue.SimpleQueue(), Loop(channel, reaper)
        take = calls.get

        def read():
            while True:
                calls.put(next_call(channel, functions, loop))

        threading.Thread(target=read, daemon=True).start()
    while True:
        number, function, arguments, limit = take()
        reaper.begin()
        answer = call(function, arguments, limit)
        reaper.end()
        channel.send(number, answer)
        # What a call has left is freed now, not when the next one comes.
        del arguments, answer


def main():
    sys.stdout.reconfigure(errors="backslashreplace")
    channel = Channel()
    _, order = channel.receive()
    serve(channel, load(channel, json.loads(order)))


main()
