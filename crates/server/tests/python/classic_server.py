"""A classic server as the original was: PyNaCl, one client, POST /v1/ with a redirect from /v1.

    python3 classic_server.py FOLDER

Reads server.key, client.pub and client.secret from the folder, prints its port, serves until killed.
"""
import base64, json, pathlib, sys, time, zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from nacl.public import Box, PrivateKey, PublicKey

folder = pathlib.Path(sys.argv[1])
private = PrivateKey(base64.b64decode((folder / "server.key").read_text()))
client = PublicKey(base64.b64decode((folder / "client.pub").read_text()))
secret = (folder / "client.secret").read_text()
box = Box(private, client)


def answer(body):
    fields = json.loads(body)
    plain = {name: box.decrypt(base64.urlsafe_b64decode(fields[name])) for name in ("id", "check", "ts", "entry")}
    number = {name: int.from_bytes(plain[name], "big") for name in ("check", "ts")}
    if number["check"] != zlib.crc32(plain["id"]) or abs(time.time() - number["ts"]) > 30:
        raise ValueError("check or ts")
    if plain["id"].decode() != secret or plain["entry"] != b"time_test":
        raise ValueError("id or entry")
    text = "It is currently: \n\t" + time.ctime()
    return json.dumps({"value": base64.urlsafe_b64encode(box.encrypt(text.encode())).decode()})


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/v1":
            self.send_response(308)
            self.send_header("Location", f"http://{self.headers['Host']}/v1/")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        try:
            status, reply = 200, answer(body) + "\n"
        except Exception:
            status, reply = 401, ""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply.encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
