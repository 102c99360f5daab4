//! Plugins as the Python plugin server's users write them, unmodified.

use serde_json::{Value, json};

use super::{builder, config};
use msp_testkit::{ServerBuilder, TestServer, until};

/// A server whose interpreter has psutil and aiohttp, as an installation of the original has.
async fn server(plugins: &[(&str, &str)]) -> TestServer {
    let python = std::env::var("MSP_TEST_PYTHON").unwrap_or_else(|_| {
        panic!("MSP_TEST_PYTHON names a Python with psutil and aiohttp (util/test makes one)")
    });
    let builder: ServerBuilder = builder("", plugins);
    let text = config(&builder.path().join("plugins"), &format!("[Runners]\nPython={python}"));
    builder.with_config(&text).start().await
}

const SYNC: &str = "from plugincore.baseplugin import BasePlugin

class Example(BasePlugin):

    def request_handler(self, **args):
        return 200, {'example': 'Hi from Example.py'}
";

/// Without `self`, as the documentation shows it.
const STATIC: &str = "from plugincore.baseplugin import BasePlugin

class Bare(BasePlugin):
    def request_handler(**args: dict) -> tuple:
        return (200, {'given': args.get('k')})
";

const OLDER: &str = "from plugincore.baseplugin import BasePlugin
from aiohttp import web
import psutil

class Cpu(BasePlugin):
    def request_handler(self, **data):
        cpudata = {
            'cpu_count': psutil.cpu_count(),
            'loadavg': psutil.getloadavg(),
            'times': psutil.cpu_times(),
            'stats': psutil.cpu_stats(),
        }
        key = data.get('key')
        if key:
            if key not in cpudata:
                return web.json_response({'error': f'key, {key}, not found.'}, status=400)
            cpudata = {key: cpudata[key]}
        return web.json_response(cpudata, status=200)
";

const BARE_DICT: &str = "from plugincore.baseplugin import BasePlugin
import psutil

class Ram(BasePlugin):
\tdef request_handler(self,**data):
\t\tram = psutil.virtual_memory()
\t\treturn {'total': ram.total, 'percent': ram.percent, 'slab': ram.slab}
";

const HEADERS: &str = "from plugincore.baseplugin import BasePlugin
from aiohttp import web

class ShowHeaders(BasePlugin):
    async def request_handler(self, **data):
        response = web.json_response(dict(data['request_headers']))
        response.set_cookie('seen', 'yes', httponly=True)
        return 200, response
";

/// A background task for each network interface, started by the first request; parts by subpath.
const STATEFUL: &str = "import asyncio
import os
import socket
import time
import psutil
from plugincore.baseplugin import BasePlugin
from aiohttp import web

class NetCounter:
    def __init__(self, iface, interval=0.05):
        self.iface, self.interval, self.ready, self.rate = iface, interval, False, 0

    async def runner(self):
        before = psutil.net_io_counters(True)[self.iface].bytes_sent
        while True:
            await asyncio.sleep(self.interval)
            now = psutil.net_io_counters(True)[self.iface].bytes_sent
            self.rate, self.ready, before = now - before, True, now

    async def start(self):
        self._task = asyncio.create_task(self.runner())
        return self

class SystemInfo(BasePlugin):
    def __init__(self, **kwargs):
        self.counters = {}
        super().__init__(**kwargs)

    async def net(self, **data):
        found = []
        for iface, addresses in psutil.net_if_addrs().items():
            if iface not in self.counters:
                self.counters[iface] = NetCounter(iface)
                await self.counters[iface].start()
            for address in addresses:
                if address.family == socket.AddressFamily.AF_INET:
                    counter = self.counters[iface]
                    found.append({'iface': iface, 'address': address.address,
                                  'tx': f'{counter.rate}bps' if counter.ready else 'N/A'})
        return found

    async def cpu(self, **data):
        with open('/proc/cpuinfo') as f:
            lines = f.read().strip().split('\\n')
        model = [line.split(':')[1].strip() for line in lines if 'model name' in line]
        return {'cpu_model': (model or ['Unknown'])[-1], 'cpu_freq': psutil.cpu_freq(),
                'percent': psutil.cpu_percent(), 'times': psutil.cpu_times()}

    async def disk(self, **data):
        with open('/etc/fstab') as f:
            return [line.split() for line in f if line.strip() and not line.startswith('#')]

    async def request_handler(self, **data: dict):
        parts = {name: asyncio.create_task(getattr(self, name)(**data)) for name in ('net', 'cpu', 'disk')}
        response = {'error': 'nodata'}
        for name, task in parts.items():
            response[name] = await task
        response['info'] = {'machine': os.uname().machine}
        subpath, code = data.get('subpath'), 200
        if subpath and subpath in response:
            response = response[subpath]
        elif subpath:
            response, code = {'Error': f'{subpath} is not a member of response_data'}, 404
        print(f'systeminfo: returning {code}')
        return code, response
";

#[tokio::test(flavor = "multi_thread")]
async fn plugin_22_plugins_written_as_the_original_teaches_run_unmodified() {
    let server = server(&[
        ("example.py", SYNC),
        ("bare.py", STATIC),
        ("cpu.py", OLDER),
        ("ram.py", BARE_DICT),
        ("showheaders.py", HEADERS),
        ("systeminfo.py", STATEFUL),
    ])
    .await;
    assert_eq!(server.get("/example").await.json(), json!({"example": "Hi from Example.py"}));
    assert_eq!(server.get("/bare?k=v").await.json(), json!({"given": "v"}));
    let cpu = server.get("/cpu").await.json();
    assert!(cpu["cpu_count"].is_u64() && cpu["times"].as_array().unwrap().len() >= 8, "{cpu}");
    assert_eq!(server.get("/cpu?key=loadavg").await.json()["loadavg"].as_array().unwrap().len(), 3);
    let unknown = server.get("/cpu?key=x").await;
    assert_eq!((unknown.status, unknown.json()), (400, json!({"error": "key, x, not found."})));
    assert!(server.get("/ram").await.json()["total"].as_u64().unwrap() > 0);
    let headers = server.get("/showheaders").await;
    assert!(headers.headers.contains("set-cookie: seen=yes; HttpOnly"), "{headers:?}");
    assert_eq!(headers.json()["Accept"], "*/*");
    let whole = server.get("/systeminfo").await;
    let keys: Vec<_> = whole.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        (whole.status, keys.as_slice()),
        (200, &["cpu", "disk", "error", "info", "net"].map(str::to_owned)[..])
    );
    assert_eq!(server.get("/systeminfo/cpu").await.json()["times"].as_array().unwrap().len(), 10);
    assert_eq!(server.get("/systeminfo/x").await.status, 404);
    until("the background task has measured", async || {
        let net = server.get("/systeminfo/net").await.json();
        net.as_array().unwrap().iter().any(|row: &Value| row["iface"] == "lo" && row["tx"] != "N/A")
    })
    .await;
}
