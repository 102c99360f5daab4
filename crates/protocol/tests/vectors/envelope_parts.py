"""How a request and its answer are made, each stage open for a case to bend; needs PyNaCl.

Independent of the Rust code and of util/client.py, which are both tested with what comes of it.
"""
import hashlib
import json
import zlib
from base64 import b64encode, urlsafe_b64encode

from nacl.bindings import crypto_box_afternm, crypto_box_beforenm, crypto_scalarmult
from nacl.public import PrivateKey
from nacl.secret import SecretBox

NOW = 1711804853
PRIME = 2**255 - 19
PLAIN = {"status": 401, "plain": True}


def draw(label, length):
    """Bytes that look random and depend on the label only."""
    return hashlib.shake_256(b"msp1 envelope vectors " + label.encode()).digest(length)


def blake(person, key, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32, key=key, person=person).digest()


def hsalsa20(key):
    """HSalsa20 of the key with sixteen zero bytes: the key of a box whose X25519 gave this."""
    word = [int.from_bytes(key[i : i + 4], "little") for i in range(0, 32, 4)]
    sigma = [int.from_bytes(b"expand 32-byte k"[i : i + 4], "little") for i in range(0, 16, 4)]
    x = [sigma[0], *word[:4], sigma[1], 0, 0, 0, 0, sigma[2], *word[4:], sigma[3]]
    columns = [(0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)]
    rows = [(0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)]
    for a, b, c, d in (columns + rows) * 10:
        for to, one, two, bits in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            total = (x[one] + x[two]) & 0xFFFFFFFF
            x[to] ^= (total << bits | total >> (32 - bits)) & 0xFFFFFFFF
    return b"".join(x[i].to_bytes(4, "little") for i in (0, 5, 10, 15, 6, 7, 8, 9))


class Party:
    def __init__(self, name, linked):
        self.name, self.linked = name, linked
        self.private = PrivateKey(draw(name + " private", 32))
        self.public = bytes(self.private.public_key)
        self.secret = draw(name + " secret", 64).hex()

    def data(self):
        key = {"private": b64encode(bytes(self.private)).decode(), "public": b64encode(self.public).decode()}
        return {"name": self.name, **key, "secret": self.secret, "linked": self.linked}


SERVER = Party("server", False)
LAPTOP, TABLET = Party("laptop", True), Party("tablet", True)
ATTIC, CELLAR = Party("attic", False), Party("cellar", False)
STRANGER = Party("stranger", False)


def shared(client):
    return crypto_scalarmult(bytes(client.private), SERVER.public)


def request_key(client):
    return blake(b"msp1 request", shared(client), SERVER.public, client.public)


def pad(text):
    size = 512
    while size < min(len(text), 65536):
        size *= 2
    return text.ljust(size if len(text) <= size else -(-len(text) // 65536) * 65536)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text64(data):
    return urlsafe_b64encode(data).decode()


def secretbox(key, nonce, plain):
    return bytes(SecretBox(key).encrypt(plain, nonce))


def seal(inner, label, recipient=SERVER.public, point=None, key=None):
    """crypto_box_seal; `point` and `key` replace the ephemeral key that is sent and the box's key."""
    ephemeral = PrivateKey(draw(label + " ephemeral", 32))
    point = point or bytes(ephemeral.public_key)
    nonce = hashlib.blake2b(point + recipient, digest_size=24).digest()
    return point + crypto_box_afternm(inner, nonce, key or crypto_box_beforenm(recipient, bytes(ephemeral)))


def wrap(sealed):
    return '{"sealed":"%s"}' % text64(sealed)


class Call:
    """One request: its parts, and every stage of its making for a case to bend."""

    def __init__(self, label, client=LAPTOP, secret=None, ts=NOW, entry="echo", rid=None, **args):
        self.label, self.client, self.ts, self.entry, self.args = label, client, ts, entry, args
        self.secret = secret or client.secret
        self.rid = rid or draw(label + " rid", 16)
        self.nonce = draw(label + " nonce", 24)

    def members(self):
        check = zlib.crc32(self.secret.encode())
        rid = text64(self.rid)
        return {"id": self.secret, "check": check, "ts": self.ts, "entry": self.entry, "rid": rid, **self.args}

    def boxed(self, plain=None, key=None):
        plain = pad(compact(self.members()).encode()) if plain is None else plain
        return secretbox(key or request_key(self.client), self.nonce, plain)

    def inner(self, version=1, public=None, boxed=None):
        return bytes([version]) + (public or self.client.public) + (self.boxed() if boxed is None else boxed)

    def sealed(self, inner=None, **seal_parts):
        return seal(inner or self.inner(), self.label, **seal_parts)

    def body(self):
        return wrap(self.sealed())

    def saying(self, message):
        """The body when M is this text or these bytes in place of the right ones."""
        plain = message if isinstance(message, bytes) else pad(message.encode())
        return wrap(self.sealed(self.inner(boxed=self.boxed(plain))))

    def answer(self, answer, label=None, rid=None):
        """An answer's nonce, text and body."""
        key = blake(b"msp1 answer", shared(self.client), SERVER.public, self.client.public, rid or self.rid)
        nonce, text = draw((label or self.label) + " answer nonce", 24), compact(answer)
        body = '{"value":"%s"}\n' % text64(secretbox(key, nonce, pad(text.encode())))
        return {"nonce_hex": nonce.hex(), "text": text, "body": body}

    def answering(self, outcome, **more):
        return self.answer({"rid": text64(self.rid), "ts": self.ts, "req": "01HTREQUEST", **outcome}, **more)

    def parts(self):
        ephemeral = draw(self.label + " ephemeral", 32)
        names = {"secret": self.secret, "ts": self.ts, "entry": self.entry, **self.args}
        made = {"ephemeral_hex": ephemeral.hex(), "nonce_hex": self.nonce.hex()}
        return {**names, **made, "message": compact(self.members())}

    def step(self, expect, now=NOW, body=None, **more):
        who = {"client": self.client.name, "rid": text64(self.rid)}
        return {"server_now": now, **who, **more, "body": body or self.body(), "expect": expect}


def ran(call, now=NOW, body=None, **more):
    """A step that the server answers, with the answer it may give."""
    outcome = {"value": call.args.get("args", "")}
    if call.entry != "echo":
        outcome = {"error": {"code": "unknown_function", "message": "no such function"}}
    expect = {"status": 200, "entry": call.entry}
    expect |= {"value": outcome["value"]} if "value" in outcome else {"error": "unknown_function"}
    made = {} if body else {"request": call.parts()}
    return call.step(expect, now, body, **made, answer=call.answering(outcome), **more)


def skew(not_before):
    return {"status": 401, "code": "clock_skew", "not_before": not_before}


def case(name, description, *steps):
    return {"name": name, "description": description, "steps": list(steps)}


def refused(name, description, body):
    """A case of one body that gets the plain 401."""
    return case(name, description, {"server_now": NOW, "body": body, "expect": PLAIN})
