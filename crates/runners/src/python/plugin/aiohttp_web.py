"""Stands in for aiohttp.web where Python has no aiohttp: the answers a plugin gives, and nothing that serves."""

import json

from plugincore.exchange import Headers, Request  # Request: plugins name it in annotations

BINARY = "application/octet-stream"
LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"


class StreamResponse:
    """The base of all answers. One that is written piece by piece cannot be sent: answers are whole."""

    _body = None

    def __init__(self, *_, **__):
        raise NotImplementedError(f"web.{type(self).__name__} cannot be sent: plugins answer with whole responses")

    def _start(self, status, reason, headers):
        self._cookies = None
        self.headers = Headers(headers or ())
        self.set_status(status, reason)

    def __bool__(self):
        return True

    def __repr__(self):
        return f"<{type(self).__name__} {self.status} {self.reason}>"

    @property
    def status(self):
        return self._status

    @property
    def reason(self):
        return self._reason

    def set_status(self, status, reason=None):
        self._status = int(status)
        self._reason = REASONS.get(self._status, "") if reason is None else reason

    @property
    def content_type(self):
        return self.headers.get("Content-Type", BINARY).partition(";")[0].strip().lower()

    @content_type.setter
    def content_type(self, value):
        self._label(str(value), self.charset)

    @property
    def charset(self):
        for part in self.headers.get("Content-Type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"').lower()
        return None

    @charset.setter
    def charset(self, value):
        self._label(self.content_type, value)

    def _label(self, content_type, charset):
        self.headers["Content-Type"] = f"{content_type}; charset={charset}" if charset else content_type

    @property
    def cookies(self):
        if self._cookies is None:
            from http.cookies import SimpleCookie

            self._cookies = SimpleCookie()
        return self._cookies

    def set_cookie(
        self,
        name,
        value,
        *,
        expires=None,
        domain=None,
        max_age=None,
        path="/",
        secure=None,
        httponly=None,
        version=None,
        samesite=None,
        partitioned=None,
    ):
        """Adds a cookie, in place of one of the same name."""
        self.cookies.pop(name, None)
        self.cookies[name] = value
        attributes = {"expires": expires, "domain": domain, "path": path, "samesite": samesite}
        attributes.update({"max-age": max_age, "secure": secure, "httponly": httponly})
        for attribute, setting in attributes.items():
            if setting is not None:
                self.cookies[name][attribute] = setting if isinstance(setting, bool) else str(setting)

    def del_cookie(self, name, *, domain=None, path="/", **attributes):
        """Makes the browser forget a cookie."""
        self.set_cookie(name, "", max_age=0, expires=LONG_AGO, domain=domain, path=path, **attributes)


class Response(StreamResponse):
    """A whole answer: status, headers and a body given as bytes or as text."""

    def __init__(
        self,
        *,
        body=None,
        status=200,
        reason=None,
        text=None,
        headers=None,
        content_type=None,
        charset=None,
        zlib_executor_size=None,
        zlib_executor=None,
    ):
        self._start(status, reason, headers)
        if body is not None and text is not None:
            raise ValueError("body and text are not allowed together")
        if content_type is not None and "charset=" in content_type:
            raise ValueError("charset must not be in content_type")
        if "Content-Type" in self.headers and (content_type or charset):
            raise ValueError("content_type and charset are not allowed beside a Content-Type header")
        if text is not None:
            if "Content-Type" not in self.headers:
                self._label(content_type or "text/plain", charset or "utf-8")
            self.text = text
        else:
            if content_type or charset:
                self._label(content_type or BINARY, charset)
            self.body = body

    @property
    def body(self):
        return self._body

    @body.setter
    def body(self, body):
        if isinstance(body, str):
            if "Content-Type" not in self.headers:
                self._label("text/plain", "utf-8")
            body = body.encode(self.charset or "utf-8")
        elif body is not None and not isinstance(body, (bytes, bytearray, memoryview)):
            raise ValueError(f"the body is {type(body).__name__}; it must be bytes or text")
        self._body = body

    @property
    def text(self):
        return None if self._body is None else bytes(self._body).decode(self.charset or "utf-8")

    @text.setter
    def text(self, text):
        if not isinstance(text, str):
            raise TypeError(f"text is {type(text).__name__}; it must be str")
        if self.charset is None:
            self._label("text/plain" if self.content_type == BINARY else self.content_type, "utf-8")
        self._body = text.encode(self.charset)

    @property
    def content_length(self):
        return 0 if self._body is None else len(self._body)


class FileResponse(StreamResponse):
    """A file as an answer; it is read whole when it is sent."""

    def __init__(self, path, chunk_size=None, status=200, reason=None, headers=None):
        self._start(status, reason, headers)
        self._path = path


class WebSocketResponse(StreamResponse):
    """Plugins cannot open web sockets."""


def json_response(
    data=None,
    *,
    text=None,
    body=None,
    status=200,
    reason=None,
    headers=None,
    content_type="application/json",
    dumps=json.dumps,
):
    """An answer that is JSON: data, unless text or body hold it already."""
    if text is None and body is None:
        text = dumps(data)
    elif data is not None:
        raise ValueError("only one of data, text and body is allowed")
    return Response(
        text=text, body=body, status=status, reason=reason, headers=headers, content_type=content_type
    )


class HTTPException(Response, Exception):
    """An answer that is raised; each status has a class of its own."""

    status_code = -1
    empty_body = False

    def __init__(self, *, headers=None, reason=None, body=None, text=None, content_type=None):
        Response.__init__(
            self,
            status=self.status_code,
            reason=reason,
            headers=headers,
            body=body,
            text=text,
            content_type=content_type,
        )
        Exception.__init__(self, self.reason)
        if self.body is None and not self.empty_body:
            self.text = f"{self.status}: {self.reason}"


class HTTPSuccessful(HTTPException):
    """Base of the answers 2xx."""


class HTTPRedirection(HTTPException):
    """Base of the answers 3xx."""


class HTTPError(HTTPException):
    """Base of the answers 4xx and 5xx."""


class HTTPClientError(HTTPError):
    """Base of the answers 4xx."""


class HTTPServerError(HTTPError):
    """Base of the answers 5xx."""


class HTTPMove(HTTPRedirection):
    """Base of the answers that name another place."""

    def __init__(self, location, **parts):
        if not location:
            raise ValueError("a redirection needs a location")
        super().__init__(**parts)
        self.location = location
        self.headers["Location"] = str(location)


class HTTPMethodNotAllowed(HTTPClientError):
    """Names the method refused and those allowed."""

    status_code = 405

    def __init__(self, method, allowed_methods, **parts):
        super().__init__(**parts)
        self.method, self.allowed_methods = method.upper(), {name.upper() for name in allowed_methods}
        self.headers["Allow"] = ",".join(sorted(self.allowed_methods))


class HTTPRequestEntityTooLarge(HTTPClientError):
    """Names the size allowed and the size found."""

    status_code = 413

    def __init__(self, max_size=None, actual_size=None, **parts):
        parts.setdefault("text", f"Maximum request body size {max_size} exceeded, actual body size {actual_size}")
        super().__init__(**parts)


class HTTPUnavailableForLegalReasons(HTTPClientError):
    """Names who demanded it."""

    status_code = 451

    def __init__(self, link, **parts):
        super().__init__(**parts)
        self.link = link
        if link:
            self.headers["Link"] = f'<{link}>; rel="blocked-by"'


# Status and class of each answer; the class tells the reason, but for those below it. A move has a Location.
ANSWERS = """
    200 Ok 201 Created 202 Accepted 203 NonAuthoritativeInformation 204 NoContent 205 ResetContent
    206 PartialContent 300 MultipleChoices 301 MovedPermanently 302 Found 303 SeeOther 304 NotModified
    305 UseProxy 307 TemporaryRedirect 308 PermanentRedirect 400 BadRequest 401 Unauthorized
    402 PaymentRequired 403 Forbidden 404 NotFound 405 MethodNotAllowed 406 NotAcceptable
    407 ProxyAuthenticationRequired 408 RequestTimeout 409 Conflict 410 Gone 411 LengthRequired
    412 PreconditionFailed 413 RequestEntityTooLarge 414 RequestURITooLong 415 UnsupportedMediaType
    416 RequestRangeNotSatisfiable 417 ExpectationFailed 421 MisdirectedRequest 422 UnprocessableEntity
    424 FailedDependency 426 UpgradeRequired 428 PreconditionRequired 429 TooManyRequests
    431 RequestHeaderFieldsTooLarge 451 UnavailableForLegalReasons 500 InternalServerError 501 NotImplemented
    502 BadGateway 503 ServiceUnavailable 504 GatewayTimeout 505 VersionNotSupported 506 VariantAlsoNegotiates
    507 InsufficientStorage 510 NotExtended 511 NetworkAuthenticationRequired
"""
REASONS = {
    200: "OK",
    203: "Non-Authoritative Information",
    414: "Request-URI Too Long",
    416: "Requested Range Not Satisfiable",
    505: "HTTP Version Not Supported",
}
MOVES = {300, 301, 302, 303, 305, 307, 308}
EMPTY = {204, 205, 304}


def define():
    """Makes the classes of the table that are not written out above."""
    bases = {2: HTTPSuccessful, 3: HTTPRedirection, 4: HTTPClientError, 5: HTTPServerError}
    words = iter(ANSWERS.split())
    for status, name in zip(map(int, words), words):
        REASONS.setdefault(status, "".join(f" {part}" if part.isupper() else part for part in name).strip())
        base = HTTPMove if status in MOVES else bases[status // 100]
        members = {"status_code": status, "empty_body": status in EMPTY, "__module__": __name__}
        globals().setdefault(f"HTTP{name}", type(f"HTTP{name}", (base,), members))


define()
