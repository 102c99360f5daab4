"""The cases of envelope-vectors.json, each named after what is special about it."""
import json
from base64 import b64encode, urlsafe_b64decode

from nacl.bindings import crypto_box_beforenm, crypto_scalarmult

from envelope_parts import (
    ATTIC, CELLAR, LAPTOP, NOW, PLAIN, PRIME, SERVER, STRANGER, TABLET, Call, blake, case, compact, draw, hsalsa20, pad,
    ran, refused, request_key, seal, secretbox, shared, skew, text64, wrap,
)

# The u-coordinates of low order on the curve and its twist.
LOW_ORDER = [
    0,
    1,
    int.from_bytes(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"),
    int.from_bytes(bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"),
    PRIME - 1,
]


def good():
    kinds = {
        "null": None, "true": True, "integer": 7, "negative": -7, "large-integer": 2**64 - 1, "fraction": 1.5,
        "text": "Grüß Gott — € 5 ✓ 🦀", "escapes": 'quote " backslash \\ newline \n', "list": [1, "a", None, []],
        "object": {"a": 1, "b": {"c": [True]}}, "empty-object": {}, "empty-list": [], "empty-text": "",
    }
    yield case("no-args", "no member args", ran(Call("no-args")))
    for name, value in kinds.items():
        yield case(f"args-{name}", "args may be any JSON", ran(Call(f"args-{name}", args=value)))
    yield case("unlinked", "an unlinked key with its secret", ran(Call("unlinked", ATTIC)))
    swapped = Call("unlinked-other-secret", ATTIC, CELLAR.secret)
    yield case("unlinked-other-secret", "an unlinked key with any unlinked secret", ran(swapped))
    for name, ts in (("oldest", NOW - 30), ("newest", NOW + 30)):
        yield case(f"{name}-accepted", "exactly request_ttl away", ran(Call(f"{name}-accepted", ts=ts)))
    yield case("unknown-function", "a proven caller is told", ran(Call("unknown-function", entry="no_such_function")))
    yield case("unknown-unicode", "a name of many kinds", ran(Call("unknown-unicode", entry="grüße/✓")))
    call = Call("largest", args="")
    call.args["args"] = "x" * (32768 - len(compact(call.members())))
    yield case("largest", "M of exactly 32 KiB", ran(call))
    for name, value in (("lists", nested(31)), ("objects", nested(31, '{"a":', "}"))):
        deep = Call(f"deepest-{name}", args=json.loads(value))
        yield case(f"deepest-{name}", "32 levels, M itself the first", ran(deep))
    # Forms that our own clients do not send.
    call = Call("unpadded")
    yield odd(call, "no spaces after the JSON", compact(call.members()).encode())
    call = Call("white-space")
    spaced = f" \r\n\t{json.dumps(call.members(), indent=2)}\n\t "
    yield odd(call, "white space between the members and around", spaced)
    call = Call("unknown-members")
    more = {"new": [{"a": 1}, {"a": 1}], **call.members(), "client": "1.0"}
    yield odd(call, "unknown members are ignored", compact(more))
    call = Call("other-order")
    yield odd(call, "members in another order", compact(dict(reversed(call.members().items()))))
    call = Call("escaped")
    yield odd(call, "escapes where none are needed", compact(call.members()).replace("echo", "\\u0065cho"))
    call = Call("body-unknown-members")
    body = call.body().replace("{", '{"a":1,"a":[],"value":"x",', 1)
    yield case(call.label, "other members of the body are ignored", ran(call, body=body))


def odd(call, description, message):
    return case(call.label, description, ran(call, body=call.saying(message)))


def nested(levels, start="[", end="]"):
    return start * levels + "1" + end * levels


def bad():
    yield from bad_seals()
    yield from bad_points()
    yield from bad_proofs()
    yield from crossed_shapes()
    yield from bad_messages()
    yield from bad_bodies()


def bad_seals():
    for version in (0, 2, 0x7B, 0xFF):
        call = Call(f"version-{version}")
        yield refused(call.label, "an unknown version byte", wrap(call.sealed(call.inner(version))))
    call = Call("truncated")
    step = {"server_now": NOW, "truncate": "every", "body": call.body(), "expect": PLAIN}
    yield case(call.label, "cut short at every length", step)
    call = Call("truncated-inside")
    for length in (0, 1, 32, 33, 56, 57, 72, 73):
        inner = call.inner()[:length]
        body = wrap(seal(inner, f"inside {length}"))
        yield refused(f"inside-of-{length}-bytes", "a whole seal around too little", body)
    for name, at in (("ephemeral", 0), ("outer-tag", 32), ("version", 48), ("client", 49), ("end", -1)):
        sealed = bytearray(Call(f"flipped-{name}").sealed())
        sealed[at] ^= 1
        yield refused(f"flipped-{name}", "one bit changed", wrap(bytes(sealed)))
    for name, at in (("nonce", 0), ("tag", 24), ("message", 40), ("padding", -1)):
        call = Call(f"flipped-inner-{name}")
        boxed = bytearray(call.boxed())
        boxed[at] ^= 1
        body = wrap(call.sealed(call.inner(boxed=bytes(boxed))))
        yield refused(call.label, "one bit changed inside a good seal", body)
    call = Call("appended")
    yield refused(call.label, "one byte more", wrap(call.sealed() + b"\0"))
    call = Call("other-server")
    yield refused(call.label, "sealed for another server", wrap(call.sealed(recipient=STRANGER.public)))


def bad_points():
    """Each of these would open, were it not for the check of the point."""
    low = {u + add for u in LOW_ORDER for add in (0, PRIME) if u + add < 2**255}
    other = {PRIME + u for u in range(2, 19)}
    points = [(u | top, u in low) for u in sorted(low | other) for top in (0, 2**255)]
    good_point = int.from_bytes(bytes(LAPTOP.public), "little") | 2**255
    for number, (u, is_low) in enumerate([*points, (good_point, False)]):
        point = u.to_bytes(32, "little")
        kind = "low-order" if is_low else "not-canonical"
        call = Call(f"ephemeral-{kind}-{number}")
        key = hsalsa20(bytes(32)) if is_low else crypto_box_beforenm(point, bytes(SERVER.private))
        body = wrap(call.sealed(point=point, key=key))
        yield refused(call.label, f"ephemeral key {point.hex()}", body)
        call = Call(f"client-key-{kind}-{number}")
        body = wrap(call.sealed(call.inner(public=point, boxed=call.boxed(key=weak_key(point, is_low)))))
        yield refused(call.label, f"client key {point.hex()}", body)


def weak_key(point, is_low):
    dh = bytes(32) if is_low else crypto_scalarmult(bytes(SERVER.private), point)
    return blake(b"msp1 request", dh, SERVER.public, point)


def bad_proofs():
    call = Call("stranger", STRANGER)
    yield refused(call.label, "a key that is not registered", call.body())
    call = Call("stranger-known-secret", STRANGER, LAPTOP.secret)
    yield refused(call.label, "a stranger who knows a secret", call.body())
    call = Call("claimed-key")
    yield refused(call.label, "a stranger who claims a registered key", under(call, request_key(STRANGER)))
    call = Call("wrong-claim")
    body = wrap(call.sealed(call.inner(public=TABLET.public)))
    yield refused(call.label, "another registered key is claimed", body)
    pairs = {
        "secret-of-other-linked": (LAPTOP, TABLET), "linked-key-unlinked-secret": (LAPTOP, ATTIC),
        "unlinked-key-linked-secret": (ATTIC, LAPTOP), "unregistered-secret": (LAPTOP, STRANGER),
        "unlinked-key-unregistered-secret": (ATTIC, STRANGER),
    }
    for name, (key, secret) in pairs.items():
        body = Call(name, key, secret.secret).body()
        yield refused(name, "key and secret do not belong together", body)
    for name, key in (("key-of-answers", b"msp1 answer"), ("key-without-person", b"")):
        call = Call(name)
        other = blake(key, shared(LAPTOP), SERVER.public, LAPTOP.public, call.rid if key else b"")
        yield refused(name, "sealed under another key of the pair", under(call, other))
    call = Call("key-of-classic")
    other = crypto_box_beforenm(SERVER.public, bytes(LAPTOP.private))
    yield refused(call.label, "sealed under the key of the classic shape", under(call, other))
    call = Call("parties-swapped")
    other = blake(b"msp1 request", shared(LAPTOP), LAPTOP.public, SERVER.public)
    yield refused(call.label, "client's key before the server's in k_req", under(call, other))


def under(call, key):
    return wrap(call.sealed(call.inner(boxed=call.boxed(key=key))))


def classic(label):
    """The four values of a good classic request of the unlinked client."""
    key = crypto_box_beforenm(SERVER.public, bytes(ATTIC.private))
    plain = {"id": ATTIC.secret.encode(), "entry": b"echo", "ts": NOW.to_bytes(4, "big")}
    plain["check"] = Call(label, ATTIC).members()["check"].to_bytes(4, "big").lstrip(b"\0")
    return {name: secretbox(key, draw(f"{label} {name}", 24), text) for name, text in plain.items()}


def crossed_shapes():
    for name, value in classic("classic-wrapped").items():
        yield refused(f"classic-{name}-as-sealed", "a classic value as the sealed bytes", wrap(value))
        body = wrap(seal(b"\x01" + ATTIC.public + value, f"classic {name}"))
        yield refused(f"classic-{name}-in-seal", "a classic value in a good seal", body)
    for name, sealed in (("null", "null"), ("empty", '""'), ("broken", '"QUJD"')):
        values = {member: text64(value) for member, value in classic(f"both {name}").items()}
        body = compact(values).replace("{", '{"sealed":%s,' % sealed, 1)
        yield refused(f"classic-beside-sealed-{name}", "a body with sealed is never read as classic", body)
    call = Call("answer-as-request")
    value = call.answering({"value": 1})["body"].split('"')[3]
    yield refused(call.label, "an answer as the sealed bytes", compact({"sealed": value}))
    body = wrap(call.sealed(call.inner(boxed=urlsafe_b64decode(value))))
    yield refused("answer-in-seal", "an answer in a good seal", body)


def bad_messages():
    def changed(name, description, **members):
        call = Call(name)
        merged = {**call.members(), **members}
        return refused(name, description, call.saying(compact({k: v for k, v in merged.items() if v is not ...})))

    def raw(name, description, change):
        call = Call(name, args=0)
        return refused(name, description, call.saying(change(compact(call.members()))))

    for member in ("id", "check", "ts", "entry", "rid"):
        yield changed(f"missing-{member}", "a member is missing", **{member: ...})
        yield changed(f"null-{member}", "null in place of a member", **{member: None})
        yield changed(f"list-{member}", "a list in place of a member", **{member: []})
    check = Call("").members()["check"]
    for name, value in {"wrong": check ^ 1, "fraction": check + 0.5, "float": float(check), "text": str(check),
                        "negative": check - 2**32, "too-large": check + 2**32, "zero": 0}.items():
        yield changed(f"check-{name}", "not the CRC-32 of id as an integer", check=value)
    for name, value in {"float": float(NOW), "fraction": NOW + 0.5, "negative": -NOW, "text": str(NOW),
                        "too-large": 2**64}.items():
        yield changed(f"ts-{name}", "not an unsigned integer of 64 bits", ts=value)
    yield raw("ts-exponent", "an integer written as a float", lambda text: text.replace(str(NOW), "1711804853e0"))
    yield raw("ts-leading-zero", "not JSON", lambda text: text.replace(str(NOW), f"0{NOW}"))
    rid = draw("a rid with every character", 17)
    for name, value in {"short": text64(rid[:15]), "long": text64(rid), "unpadded": text64(rid[:16])[:-2],
                        "half-padded": text64(rid[:16])[:-1], "empty": "", "number": 7,
                        "standard-alphabet": b64encode(b"\xff" * 16).decode(),
                        "spare-bits": text64(rid[:16])[:-3] + "B==", "white-space": text64(rid[:16]) + "\n"}.items():
        yield changed(f"rid-{name}", "not base64url of 16 bytes with padding", rid=value)
    for name, value in {"empty": "", "too-long": "x" * 129, "control": "echo\n", "number": 1}.items():
        yield changed(f"entry-{name}", "not a legal name of a function", entry=value)
    call = Call("id-upper-case", secret=LAPTOP.secret.upper())
    yield refused(call.label, "not the digits as they were given out", call.body())
    call = Call("id-empty")
    yield refused(call.label, "an empty secret, its CRC-32 being zero",
                  call.saying(compact({**call.members(), "id": "", "check": 0})))
    yield from bad_json(raw)


def bad_json(raw):
    yield raw("duplicate-ts", "a member twice, at the top", lambda text: text.replace("{", '{"ts":1,', 1))
    yield raw("duplicate-same", "twice with the same value", lambda text: text.replace("{", '{"ts":%d,' % NOW, 1))
    yield raw("duplicate-unknown", "an unknown member twice", lambda text: text.replace("{", '{"x":1,"x":1,', 1))
    yield raw("duplicate-escaped", "the same name, escaped", lambda text: text.replace("{", '{"\\u0074s":1,', 1))
    yield raw("duplicate-args", "args twice", lambda text: text.replace("{", '{"args":1,', 1))
    for name, args in {"duplicate-in-args": '{"a":1,"a":2}', "duplicate-deep-in-args": '[[{"b":{"a":1,"a":1}}]]',
                       "lists-too-deep": nested(32), "objects-too-deep": nested(32, '{"a":', "}"),
                       "very-deep": nested(9000), "unclosed": "[" * 9000, "not-a-number": "NaN", "infinity": "1e999",
                       "lone-surrogate": '"\\ud800"', "single-quotes": "'a'", "trailing-comma": "[1,]",
                       "comment": "0/**/", "raw-control": '"\x01"'}.items():
        yield raw(f"args-{name}", "not the JSON that is allowed",
                  lambda text, args=args: text.replace('"args":0', '"args":' + args))
    yield raw("unknown-too-deep", "an unknown member nested too deeply",
              lambda text: text.replace("{", '{"x":%s,' % nested(32), 1))
    yield raw("trailing-brace", "more than white space after the JSON", lambda text: text + "}")
    yield raw("trailing-object", "a second object", lambda text: text + " {}")
    yield raw("trailing-zero-byte", "padded with zero bytes", lambda text: (text + "\0" * 20).encode())
    yield raw("byte-order-mark", "a byte order mark before it", lambda text: "\ufeff" + text)
    yield raw("a-list", "a list of the values", lambda text: compact(list(json.loads(text).values())))
    yield raw("a-null", "null", lambda text: "null")
    yield raw("only-spaces", "nothing but padding", lambda text: "")
    yield raw("no-message", "an empty plaintext", lambda text: b"")
    yield raw("cut-json", "the JSON ends too early", lambda text: text[:-1])
    yield raw("utf-16", "UTF-16", lambda text: text.encode("utf-16-le"))
    for name, echo in (("not-utf-8", b"ech\xff"), ("overlong-utf-8", b"ech\xc1\xaf"), ("surrogate", b"\xed\xa0\x80")):
        yield raw(name, "not UTF-8", lambda text, echo=echo: text.encode().replace(b"echo", echo))
    yield raw("too-large", "32 KiB and one byte, with its spaces", lambda text: pad(text.encode()).ljust(32769))


def bad_bodies():
    def changed(name, description, change):
        # Bytes of ones give both characters in which the alphabets differ.
        call = Call(name)
        text = text64(call.sealed(call.inner(boxed=call.boxed(pad(compact(call.members()).encode()) + b" "))))
        assert text.endswith("=") and {"-", "_"} <= set(text)
        return refused(name, description, change(text))

    yield changed("sealed-standard-alphabet", "+ and / in place of - and _",
                  lambda text: compact({"sealed": text.replace("-", "+").replace("_", "/")}))
    yield changed("sealed-unpadded", "no padding", lambda text: compact({"sealed": text.rstrip("=")}))
    yield changed("sealed-over-padded", "one = too many", lambda text: compact({"sealed": text + "="}))
    yield changed("sealed-spare-bits", "bits after the last byte",
                  lambda text: compact({"sealed": spare_bits(text)}))
    for name, stray in (("dot", "."), ("newline", "\n"), ("space", " "), ("unicode", "é"), ("zero", "\0")):
        yield changed(f"sealed-stray-{name}", "a character that is not of the alphabet",
                      lambda text, stray=stray: compact({"sealed": text[:40] + stray + text[40:]}))
    yield changed("sealed-twice", "the member twice", lambda text: '{"sealed":"%s","sealed":"%s"}' % (text, text))
    yield changed("sealed-twice-escaped", "the member twice, once escaped",
                  lambda text: '{"sealed":"%s","\\u0073ealed":"%s"}' % (text, text))
    yield changed("sealed-in-list", "a list of one text", lambda text: compact({"sealed": [text]}))
    yield changed("body-list", "a list in place of the object", lambda text: compact([text]))
    yield changed("body-list-of-all", "a list with a place for every member",
                  lambda text: compact([text, None, None, None, None]))
    yield changed("body-text", "a text in place of the object", lambda text: compact(text))
    yield changed("body-trailing", "more than white space after it", lambda text: compact({"sealed": text}) + "x")
    yield changed("body-upper-case", "names are exact", lambda text: compact({"Sealed": text}))
    for name, body in {"body-empty": "", "body-null": "null", "body-empty-object": "{}", "body-not-json": "sealed",
                       "sealed-number": '{"sealed":7}', "sealed-null": '{"sealed":null}',
                       "sealed-empty": '{"sealed":""}', "sealed-object": '{"sealed":{}}'}.items():
        yield refused(name, "not the body of a request", body)


def spare_bits(text):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    kept = text.rstrip("=")
    return kept[:-1] + alphabet[alphabet.index(kept[-1]) | 1] + text[len(kept):]


def sequences():
    call = Call("same-body-twice")
    yield case(call.label, "an accepted request is never accepted again",
               ran(call), call.step(PLAIN), call.step(PLAIN, NOW + 30), call.step(PLAIN, NOW + 31))
    first = Call("reused-rid-first")
    second = Call("reused-rid-second", ts=NOW + 1, rid=first.rid)
    yield case("reused-rid", "another message with an accepted rid", ran(first), second.step(PLAIN, NOW + 1))
    call = Call("rid-of-another-client", TABLET, rid=first.rid)
    yield case(call.label, "a rid counts within its client only", ran(first), ran(call))
    call = Call("resealed")
    again = seal(call.inner(), "resealed again")
    yield case(call.label, "an accepted message in a new seal", ran(call), call.step(PLAIN, body=wrap(again)))
    call, fresh = Call("stale", ts=NOW - 31), Call("stale-then-fresh")
    yield case("stale-then-corrected", "one second too old; the same call with the right time runs",
               call.step(skew(NOW)), ran(fresh))
    call = Call("stale-twice", ts=NOW - 600)
    yield case(call.label, "clock_skew is told once for each rid",
               call.step(skew(NOW)), call.step(PLAIN), call.step(PLAIN, NOW + 5))
    call = Call("future-replayed", ts=NOW + 31)
    yield case(call.label, "what was refused as ahead never becomes valid", call.step(skew(NOW)),
               call.step(PLAIN, NOW + 1), call.step(PLAIN, NOW + 31), call.step(PLAIN, NOW + 61))
    for name, ts, expect in (("hours-old", NOW - 86_000, skew(NOW)), ("hours-ahead", NOW + 86_000, skew(NOW)),
                             ("days-old", NOW - 90_000, PLAIN), ("days-ahead", NOW + 90_000, PLAIN),
                             ("ts-zero", 0, PLAIN), ("ts-end-of-time", 2**64 - 1, PLAIN)):
        call = Call(name, ts=ts)
        yield case(name, "clock_skew is told within 24 hours only", call.step(expect))
    yield from floors()


def floors():
    for name, ts, floor in (("at-the-floor", NOW - 5, NOW - 5), ("below-the-floor", NOW - 6, NOW - 5)):
        call = Call(name, ts=ts)
        yield case(name, "what the guard may have forgotten is refused",
                   call.step(skew(NOW), floor=floor), call.step(PLAIN, floor=floor))
    call = Call("above-the-floor", ts=NOW - 4)
    yield case(call.label, "the first second above the floor", ran(call, floor=NOW - 5))
    call = Call("floor-is-now")
    yield case(call.label, "the floor at the clock: one second to wait", call.step(skew(NOW + 1), floor=NOW))
    call, later = Call("floor-ahead"), Call("floor-ahead-later", ts=NOW + 11)
    yield case(call.label, "a floor ahead of the clock tells from when on; then it runs",
               call.step(skew(NOW + 11), floor=NOW + 10), ran(later, now=NOW + 11, floor=NOW + 10))
    call = Call("old-and-floor-ahead", ts=NOW - 40)
    yield case(call.label, "too old, and the floor ahead of the clock", call.step(skew(NOW + 11), floor=NOW + 10))


def answers():
    call = Call("answers", args=1)

    def one(name, body, expect):
        return {"name": name, "client": LAPTOP.name, "rid": text64(call.rid), "body": body, "expect": expect}

    def said(name, members, **more):
        return call.answering(members, label=f"answer {name}", **more)["body"]

    refused = {"refused": True}
    for code in ("bad_arguments", "busy", "clock_skew", "forbidden", "function_failed", "timeout", "too_large",
                 "unknown_function", "a_code_of_tomorrow"):
        error = {"code": code, "message": f"the reason of {code}"}
        if code == "clock_skew":
            error["not_before"] = NOW
        yield one(f"error-{code}", said(code, {"error": error}), {"error": error})
    for name, value in (("null", None), ("unicode", "Grüß Gott ✓ 🦀"), ("deep", json.loads(nested(100))),
                        ("70-kib", "y" * 70_000), ("new-member", {"a": 1})):
        yield one(f"value-{name}", said(name, {"value": value, "new": 1}), {"value": value})
    other = draw("another rid", 16)
    yield one("of-another-request", said("other", {"value": 1}, rid=other), refused)
    named = call.answer({"rid": text64(other), "ts": NOW, "req": "x", "value": 1})
    yield one("names-another-request", named["body"], refused)
    yield one("value-and-error", said("both", {"value": 1, "error": {"code": "busy", "message": ""}}), refused)
    yield one("neither", said("neither", {}), refused)
    good = said("flipped", {"value": 1})
    yield one("flipped", good[:60] + ("A" if good[60] != "A" else "B") + good[61:], refused)
    yield one("request-as-answer", compact({"value": text64(call.boxed())}), refused)
    yield one("own-sealed-as-answer", compact({"value": text64(call.sealed())}), refused)
    for name, body in (("empty", ""), ("not-json", "<html>"), ("no-value", "{}"), ("number", '{"value":7}'), ("list", compact([good[10:-3]])),
                       ("short", '{"value":"QUJD"}')):
        yield one(f"body-{name}", body, refused)
