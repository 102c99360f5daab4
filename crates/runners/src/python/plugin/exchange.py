"""What goes into a call of a plugin, and what comes out of it: the request as it sees it, and its answer as bytes."""

import json
import re
import struct
import sys
import traceback
import types
from collections.abc import MutableMapping
from functools import cached_property, lru_cache

from plugincore.baseplugin import BadArguments

VALUE, RESPONSE, BAD_ARGUMENTS, FAILED, TOO_LARGE = b"J", b"R", b"A", b"F", b"L"
LENGTH = struct.Struct(">I")
LONGEST_MESSAGE = 2000
LONGEST_HEAD = 60 * 1024
ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# What belongs to a connection is the server's business, whatever a plugin says.
CONNECTION = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"}
HEADER_NAME, CONTROL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[\0-\x08\n-\x1f\x7f]")
MISSING = object()


class MultiDict(MutableMapping):
    """Names with one or several values, in order; a lookup gives the first value."""

    @staticmethod
    def fold(name):
        return name

    def __init__(self, pairs=()):
        self.pairs = []
        self.extend(pairs)

    def extend(self, pairs):
        for name, value in pairs.items() if hasattr(pairs, "items") else pairs:
            self.add(name, value)

    def add(self, name, value):
        self.pairs.append((name, value))

    def getall(self, name, default=MISSING):
        folded = self.fold(name)
        values = [value for known, value in self.pairs if self.fold(known) == folded]
        if values:
            return values
        if default is MISSING:
            raise KeyError(name)
        return default

    def getone(self, name, default=MISSING):
        return self.getall(name, [default] if default is not MISSING else MISSING)[0]

    __getitem__ = getone

    def __setitem__(self, name, value):
        folded, place = self.fold(name), len(self.pairs)
        for index in reversed(range(place)):
            if self.fold(self.pairs[index][0]) == folded:
                place = index
                del self.pairs[index]
        self.pairs.insert(place, (name, value))

    def __delitem__(self, name):
        self.getall(name)
        folded = self.fold(name)
        self.pairs = [pair for pair in self.pairs if self.fold(pair[0]) != folded]

    def __contains__(self, name):
        return isinstance(name, str) and bool(self.getall(name, None))

    def __iter__(self):
        return (name for name, _ in self.pairs)

    def __len__(self):
        return len(self.pairs)

    def keys(self):
        return [name for name, _ in self.pairs]

    def values(self):
        return [value for _, value in self.pairs]

    def items(self):
        return list(self.pairs)

    def copy(self):
        return type(self)(self.pairs)

    def __repr__(self):
        return f"<{type(self).__name__}({self.pairs})>"


class Headers(MultiDict):
    """Header names and values; lookups ignore case."""

    @staticmethod
    def fold(name):
        return name.lower()


class RequestHeaders(dict):
    """The headers as a dict of names such as X-Custom-Auth, of a repeated one the first; lookups ignore case."""

    def __init__(self, headers):
        for name, value in headers:
            self.setdefault(name.title(), value)

    def __missing__(self, name):
        if not isinstance(name, str) or not dict.__contains__(self, name.title()):
            raise KeyError(name)
        return dict.__getitem__(self, name.title())

    def __contains__(self, name):
        return dict.__contains__(self, name) or (isinstance(name, str) and dict.__contains__(self, name.title()))

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default


class Transport:
    """What plugins ask for the peer's address."""

    def __init__(self, client_ip):
        self.client_ip = client_ip

    def get_extra_info(self, name, default=None):
        return (self.client_ip, 0) if name == "peername" and self.client_ip else default


class Request(dict):
    """The request in the manner of aiohttp.web.Request; what a plugin stores in it is its dict.

    Nothing is decoded before it is asked for.
    """

    app = {}
    __hash__, __eq__, __ne__ = object.__hash__, object.__eq__, object.__ne__

    def __init__(self, parts, client_ip, frame, start):
        self._parts, self.remote, self._frame, self._start = parts, client_ip, frame, start
        self.method = parts["method"]

    def __bool__(self):
        return True

    def __repr__(self):
        return f"<Request {self.method} {self.path} >"

    host = property(lambda self: self._parts["host"])
    secure = property(lambda self: self._parts["secure"])
    scheme = property(lambda self: "https" if self.secure else "http")
    query_string = property(lambda self: self._unquoted(self._parts["query"] or ""))
    can_read_body = body_exists = property(lambda self: len(self._frame) > self._start)
    raw_path = property(lambda self: self.path_qs)
    url = property(lambda self: f"{self.scheme}://{self.host}{self._parts['prefix']}{self.path_qs}")
    transport = cached_property(lambda self: Transport(self.remote))
    headers = cached_property(lambda self: Headers((name.title(), value) for name, value in self._parts["headers"]))
    match_info = cached_property(lambda self: {})
    path = cached_property(lambda self: self._unquoted(self._parts["path"]))

    @staticmethod
    def _unquoted(text):
        from urllib.parse import unquote

        return unquote(text)

    @staticmethod
    def _pairs(text):
        from urllib.parse import parse_qsl

        return MultiDict(parse_qsl(text, keep_blank_values=True))

    @property
    def path_qs(self):
        path, query = self._parts["path"], self._parts["query"]
        return f"{path}?{query}" if query else path

    @cached_property
    def query(self):
        return self._pairs(self._parts["query"] or "")

    @cached_property
    def cookies(self):
        """Cookies by name, of a repeated one the first."""
        cookies = {}
        for header in self.headers.getall("cookie", ()):
            for cookie in header.split(";"):
                name, equals, value = cookie.partition("=")
                if equals:
                    cookies.setdefault(name.strip(), value.strip().strip('"'))
        return types.MappingProxyType(cookies)

    @cached_property
    def content_type(self):
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() or "application/octet-stream"

    @cached_property
    def charset(self):
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"') or None
        return None

    @property
    def content_length(self):
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else len(self._frame) - self._start or None

    async def read(self):
        return self._frame[self._start :]

    async def text(self):
        return (await self.read()).decode(self.charset or "utf-8")

    async def json(self, *, loads=json.loads):
        return loads(await self.text())

    async def post(self):
        """The fields of a urlencoded form; of any other body none, as multipart fields are in the handler's values."""
        if self.content_type == "multipart/form-data":
            raise NotImplementedError("the fields of a multipart form come as values of request_handler")
        form = self.content_type == "application/x-www-form-urlencoded"
        return self._pairs(await self.text()) if form else MultiDict()


def own_values(plugin_id, parts, client_ip, frame, start):
    """The server's own values for a call; a call that is no request of the web gets one made up."""
    if parts is None:
        own = {"method": "POST", "path": "/" + plugin_id, "query": "", "host": "", "prefix": ""}
        parts = {**own, "secure": False, "headers": ()}
    return {
        "request_headers": RequestHeaders(parts["headers"]),
        "request": Request(parts, client_ip, frame, start),
        "client_ip": client_ip,
    }


def answer(result, limit):
    """The body of the answer for what request_handler has returned."""
    try:
        return pack(result, limit)
    except BaseException as error:
        return failure(f"request_handler gave no answer that can be sent: {type(error).__name__}: {error}")


def refuse(error, limit):
    """The body of the answer to a call that raised: an HTTPException of aiohttp.web is an answer itself."""
    if isinstance(error, BadArguments):
        return BAD_ARGUMENTS + str(error)[:LONGEST_MESSAGE].encode("utf-8", "backslashreplace")
    if all(hasattr(error, part) for part in ("status", "headers", "body", "cookies")):
        return answer(error, limit)
    return failure(log_trace(error))


@lru_cache(64)
def head_of(status, content_type):
    """The head of a simple answer."""
    headers = [["Content-Type", content_type]] if content_type else []
    head = ENCODE({"status": status, "headers": headers}).encode()
    return RESPONSE + LENGTH.pack(len(head)) + head


def pack(value, limit):
    """The body of an answer; raises when the value cannot be one."""
    status = 200
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], int) and not isinstance(value[0], bool):
        status, value = int(value[0]), value[1]
    if hasattr(value, "status") and hasattr(value, "headers"):
        return pack_response(value, limit)
    if not 200 <= status <= 599:
        raise ValueError(f"the status {status} is not within 200 to 599")
    if isinstance(value, str):
        content_type, body = "text/html; charset=utf-8", value[: limit + 1].encode()
    elif isinstance(value, (bytes, bytearray, memoryview)):
        content_type, body = "application/octet-stream", bytes(value)
    elif value is None:
        content_type, body, status = None, b"", 204 if status == 200 else status
    else:
        content_type, body = "application/json", ENCODE(value).encode()
    if len(body) > limit:
        return TOO_LARGE
    if status == 200 and content_type == "application/json":
        return VALUE + body
    return head_of(status, content_type) + (b"" if status in (204, 304) else body)


def pack_response(response, limit):
    """The body of the answer for a response object of aiohttp.web, real or not; its status is the one that counts."""
    status = int(response.status)
    if not 200 <= status <= 599:
        raise ValueError(f"the status {status} is not within 200 to 599")
    headers = headers_of(response)
    body, kind = body_of(response, limit)
    if len(body) > limit:
        return TOO_LARGE
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(["Content-Type", kind])
    head = ENCODE({"status": status, "headers": headers}).encode()
    if len(head) > LONGEST_HEAD:
        raise ValueError(f"the headers of the response are longer than {LONGEST_HEAD} bytes")
    return b"".join((RESPONSE, LENGTH.pack(len(head)), head, b"" if status in (204, 304) else body))


def headers_of(response):
    """Names and values of a response's headers, its cookies among them."""
    headers = [[str(name), str(value)] for name, value in response.headers.items()]
    headers = [header for header in headers if header[0].lower() not in CONNECTION]
    cookies = getattr(response, "cookies", None) or {}
    headers += [["Set-Cookie", cookie.OutputString()] for cookie in cookies.values()]
    for name, value in headers:
        if not HEADER_NAME.fullmatch(name) or CONTROL.search(value):
            raise ValueError(f"the response's header {name!r} holds what no header may hold")
    return headers


def body_of(response, limit):
    """The bytes of a response's body, at most one more than the limit, and the content type if it names none."""
    body = getattr(response, "body", MISSING)
    if body is MISSING:
        # A FileResponse of aiohttp has a path in place of a body.
        path = getattr(response, "_path", None)
        if path is None:
            raise TypeError(f"{type(response).__name__} cannot be sent: plugins answer with whole responses")
        with open(path, "rb") as file:
            return file.read(limit + 1), kind_of_file(path)
    body = getattr(body, "_value", body)  # aiohttp wraps what is neither bytes nor text
    if hasattr(body, "read"):
        body = body.read(limit + 1)
    if isinstance(body, str):
        body = body.encode()
    if body is None:
        body = b""
    elif not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"a body that is {type(body).__name__} cannot be sent: plugins answer with whole responses")
    return body, "application/octet-stream"


def kind_of_file(path):
    """The content type that a file's name tells."""
    import mimetypes

    try:
        return mimetypes.guess_type(str(path))[0] or "application/octet-stream"
    except OSError:
        return "application/octet-stream"  # the system's list of types is out of reach


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
    return f"{where}{type(error).__name__}: {text}"[:LONGEST_MESSAGE].encode("utf-8", "backslashreplace").decode()


def failure(message):
    """The body of the answer to a call that failed."""
    return FAILED + message[:LONGEST_MESSAGE].encode("utf-8", "backslashreplace")


def log_trace(error, write=None):
    """Writes an exception's whole trace, from the plugin's first line on, to the log; its description."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<"):
            trace = trace.tb_next
        (write or sys.stderr.write)("".join(traceback.format_exception(type(error), error, trace)))
    except BaseException:
        pass  # the description alone has to do
    return describe(error)


def debug_trace(error, log):
    """Writes the trace of what did not load line by line as DEBUG: its description becomes an error of the server's."""
    return log_trace(error, lambda text: [log.debug(line) for line in text.splitlines()])
