"""What a plugin imports as plugincore.baseplugin, and what a new one is given: configuration, log and arguments."""

import importlib.machinery
import inspect
import sys
import traceback
import types

__all__ = ["BasePlugin"]

OWN_NAMES = ("log", "request_headers", "request", "subpath", "client_ip")
KINDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
# One entry of the log is one line, whatever a caller has put into a value that is logged.
BREAKS = {10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 0x85: "\\x85", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class BasePlugin:
    """The base of every plugin: keeps what the server hands to a new one.

    The server has checked the caller's key before it calls a plugin; nothing here checks it again.
    """

    def __init__(self, **kwargs):
        log, auth, apikey = kwargs.get("log"), kwargs.get("auth_type", kwargs.get("auth")), kwargs.get("apikey")
        self.config = kwargs.get("config")
        self.log = Log(type(self).__name__.lower()) if log is None else log
        self.args = Arguments(kwargs)
        self._plugin_id = str(kwargs.get("route_path") or type(self).__name__.lower())
        # An unknown type is kept as it is, so that the server can refuse it.
        self._auth_type = None if auth is None else str(auth).lower()
        self._apikey = None if apikey is None or self._auth_type != "plugin" else str(apikey)

    def _get_plugin_id(self):
        return self._plugin_id

    def _check_auth(self, data):
        """Always true: who has no valid key does not get as far as a plugin."""
        return True

    def _get_client_ip(self, request):
        """The caller's address as the server sees it, behind the proxies it trusts."""
        return getattr(request, "remote", None)

    async def handle_request(self, **data):
        """Calls request_handler; what it returns."""
        result = self.request_handler(**data)
        return await result if inspect.isawaitable(result) else result

    def terminate_plugin(self):
        """Called when the plugin is unloaded; for plugins that have something to put away."""


class PluginFile:
    """Loads the plugin file from the bytes the server has read; byte code on disk is never trusted."""

    def __init__(self, file, source):
        self.file, self.source = file, source

    def get_source(self, name):
        from importlib.util import decode_source

        return decode_source(self.source)

    def load(self, name):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, self, origin=self.file)
        module.__file__, module.__loader__ = self.file, self
        # A module that Python itself uses under that name stays what it is.
        sys.modules.setdefault(name, module)
        exec(compile(self.source, self.file, "exec", dont_inherit=True), module.__dict__)
        return module


class Arguments(dict):
    """What a plugin was constructed with; the program's options log, level and ini_file are attributes."""

    def __getattr__(self, name):
        options = self.get("args", self.get("prog_args"))
        if not name.startswith("__") and hasattr(options, name):
            return getattr(options, name)
        if name in self:
            return self[name]
        raise AttributeError(f"neither an option nor a parameter: {name}")


class Settings(dict):
    """The sections of the ini file, or the keys of one, also as attributes; case is ignored.

    A key with the name of a method of dict is only to be had by [...].
    """

    def _written(self, name):
        """The name as it is written in the file, or the name itself."""
        if not isinstance(name, str) or dict.__contains__(self, name):
            return name
        folded = name.lower()
        return next((key for key in self if isinstance(key, str) and key.lower() == folded), name)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no section or key {name} here") from None

    def __missing__(self, name):
        written = self._written(name)
        if written is name:
            raise KeyError(name)
        return dict.__getitem__(self, written)

    def __contains__(self, name):
        return dict.__contains__(self, self._written(name))

    def get(self, name, default=None):
        return dict.get(self, self._written(name), default)


def settings(sections):
    """The configuration as plugins use it."""
    return Settings((name, Settings(keys)) for name, keys in sections.items())


class Log:
    """Writes lines for the server's log to standard error; log("text") is log.info("text"). Never raises."""

    def __init__(self, name, level="DEBUG"):
        self.name, self.least = name, LEVELS.get(str(level).upper(), 10)

    def _write(self, level, words, trace=None):
        if LEVELS[level] < self.least:
            return
        try:
            sys.stderr.write(f"{level} {self.name}: {self._text(words).translate(BREAKS)}\n{trace or ''}")
        except BaseException:
            pass  # a log that cannot be written must not fail a call

    @staticmethod
    def _text(words):
        """The words as text: the first is a %-format for the rest, else they stand side by side."""
        if len(words) > 1 and isinstance(words[0], str) and "%" in words[0]:
            try:
                return words[0] % words[1:]
            except (TypeError, ValueError, KeyError):
                pass  # then it was no format
        return " ".join(map(str, words))

    def __call__(self, *words, **_):
        self._write("INFO", words)

    def debug(self, *words, **_):
        self._write("DEBUG", words)

    def info(self, *words, **_):
        self._write("INFO", words)

    def warning(self, *words, **_):
        self._write("WARNING", words)

    warn = warning

    def error(self, *words, **_):
        self._write("ERROR", words)

    def critical(self, *words, **_):
        self._write("CRITICAL", words)

    def exception(self, *words, **_):
        """An error, followed by the trace of the exception being handled."""
        self._write("ERROR", words, traceback.format_exc() if sys.exc_info()[0] else None)


class BadArguments(Exception):
    """The values of a call do not fit; the message is for the caller."""


class Plugin:
    """One instance of a plugin class, its request_handler as `entry`, and what a call needs to know about it."""

    def __init__(self, instance, access):
        if access not in ("read", "write"):
            raise ValueError(f"its access is {access!r}; it must be read or write")
        if not hasattr(instance, "_plugin_id"):
            raise TypeError("its __init__ does not call super().__init__(**kwargs)")
        self.instance, self.access = instance, access
        self.id = str(instance._get_plugin_id())
        self.entry, self.receiver = getattr(instance, "request_handler", None), None
        if not callable(self.entry):
            raise TypeError("it has no method request_handler")
        if inspect.ismethod(self.entry):
            parameters = list(inspect.signature(self.entry.__func__).parameters.values())
            if not parameters or parameters[0].kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
                self.entry = self.entry.__func__  # it has no self, so it is called as the function it is
            elif parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
                self.receiver = parameters[0].name
        self.parameters, self.takes_any = [], False
        for parameter in inspect.signature(self.entry).parameters.values():
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise TypeError(f"request_handler takes {parameter.name} by position, and values come by name")
            if parameter.kind is parameter.VAR_KEYWORD:
                self.takes_any = True
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                self.parameters.append(parameter)
        self.names = {parameter.name for parameter in self.parameters}
        required = [parameter.name for parameter in self.parameters if parameter.default is parameter.empty]
        self.required = [name for name in required if name not in OWN_NAMES]

    def describe(self, index):
        """What the server is told of it."""
        kind = type(self.instance)
        auth, apikey = (getattr(self.instance, name) for name in ("_auth_type", "_apikey"))
        text = inspect.cleandoc(kind.__doc__ or getattr(self.entry, "__doc__", None) or "")
        arguments = [
            {
                "name": parameter.name,
                "kind": kind_of(parameter.annotation),
                "required": parameter.name in self.required,
            }
            for parameter in self.parameters
            if parameter.name not in OWN_NAMES
        ]
        return {
            "index": index,
            "class": kind.__name__,
            "id": self.id,
            "auth_type": None if auth is None else str(auth),
            "apikey": None if apikey is None else str(apikey),
            "access": self.access,
            "description": " ".join(text.partition("\n\n")[0].split()),
            "arguments": arguments,
        }

    def bind(self, values, own):
        """The values under the server's own names, which nothing overrides; without ** only those it takes."""
        if self.takes_any:
            unknown = [self.receiver] if self.receiver in values else []
        else:
            own = {name: value for name, value in own.items() if name in self.names}
            unknown = [name for name in values if name not in self.names and name not in OWN_NAMES]
            values = {name: value for name, value in values.items() if name in self.names}
        missing = [name for name in self.required if name not in values]
        if missing or unknown:
            parts = [("missing", missing), ("unknown", unknown)]
            raise BadArguments("; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names))
        values.update(own)
        return values


def plugin_classes(module):
    """The classes that the module itself defines and that derive from BasePlugin, in order of definition."""
    classes = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, BasePlugin)]
    return list(dict.fromkeys(kind for kind in classes if kind.__module__ == module.__name__))


def kind_of(annotation):
    """The JSON Schema name of a parameter's simple annotation, else None."""
    if not isinstance(annotation, str):
        annotation = getattr(getattr(annotation, "__origin__", annotation), "__name__", "")
    return KINDS.get(annotation.partition("[")[0].strip())
