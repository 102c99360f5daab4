#!/usr/bin/env python3
"""Call a function of a mini-share-point server: python3 client.py URL FUNCTION [JSON-ARGS]

Reads client.secret, client.key and server.pub in the current folder and prints the value the function returned.
Needs PyNaCl. The messages are described in docs/PROTOCOL.md.
"""
import base64, hashlib, json, os, sys, time, zlib
import urllib.error, urllib.request
from pathlib import Path

from nacl.bindings import crypto_box, crypto_scalarmult
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from nacl.secret import SecretBox


def derive(person, client, server, rid=b""):
    """The key of one direction; X25519 itself refuses a server key of low order."""
    if len(server) != 32 or int.from_bytes(server, "little") >= 2**255 - 19:
        raise ValueError("server.pub is not a good key")
    data = server + bytes(client.public_key) + rid
    return hashlib.blake2b(data, digest_size=32, key=crypto_scalarmult(bytes(client), server), person=person).digest()


def request(client, server, secret, ts, function, rid, args=..., nonce=None, ephemeral=None):
    """The body of a POST; nonce and ephemeral key are given only to check known answers."""
    message = {"id": secret, "check": zlib.crc32(secret.encode()), "ts": ts, "entry": function,
               "rid": base64.urlsafe_b64encode(rid).decode()} | ({} if args is ... else {"args": args})
    plain = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    if len(plain) > 32 * 1024:
        raise ValueError("the arguments are too large")
    plain = plain.ljust(max(512, 1 << (len(plain) - 1).bit_length()))
    boxed = SecretBox(derive(b"msp1 request", client, server)).encrypt(plain, nonce or os.urandom(24))
    ephemeral = ephemeral or PrivateKey.generate()
    point = bytes(ephemeral.public_key)
    seal_nonce = hashlib.blake2b(point + server, digest_size=24).digest()
    sealed = point + crypto_box(b"\x01" + bytes(client.public_key) + boxed, seal_nonce, server, bytes(ephemeral))
    return '{"sealed":"%s"}' % base64.urlsafe_b64encode(sealed).decode()


def open_answer(client, server, rid, body):
    """The members of an answer to the request with this rid: value or error, and the server's ts and req."""
    try:
        boxed = base64.b64decode(json.loads(body)["value"], altchars=b"-_", validate=True)
        answer = json.loads(SecretBox(derive(b"msp1 answer", client, server, rid)).decrypt(boxed))
        if base64.urlsafe_b64decode(answer["rid"]) == rid and ("value" in answer) != ("error" in answer):
            return answer
    except (KeyError, TypeError, ValueError, CryptoError):
        pass  # all the same: somebody else's answer
    raise ValueError("the answer is not from this server, or not to this request")


def call(url, function, args=...):
    """Calls the function with the keys in the current folder."""
    secret, key, server = (Path(name).read_text().strip() for name in ("client.secret", "client.key", "server.pub"))
    client, server, rid = PrivateKey(base64.b64decode(key)), base64.b64decode(server), os.urandom(16)
    body = request(client, server, secret, int(time.time()), function, rid, args)
    url = url.rstrip("/").removesuffix("/v1") + "/v1/"
    post = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    try:
        reply = urllib.request.urlopen(post, timeout=60).read()
    except urllib.error.HTTPError as error:
        if not (reply := error.read()) or error.code != 401:
            raise ValueError(f"{url} answered with status {error.code}") from error
    answer = open_answer(client, server, rid, reply)
    if "error" in answer:
        raise ValueError("{code}: {message}".format(**answer["error"]))
    return answer["value"]


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: client.py URL FUNCTION [JSON-ARGS]")
    try:
        value = call(*sys.argv[1:3], *map(json.loads, sys.argv[3:]))
        print(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    except Exception as error:  # one line for a person, whatever went wrong
        sys.exit(f"client.py: {error}")
