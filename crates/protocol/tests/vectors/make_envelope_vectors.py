#!/usr/bin/env python3
"""Writes envelope-vectors.json beside this file; needs PyNaCl. The same input gives the same file, byte for byte."""
import json
from pathlib import Path

from envelope_cases import answers, bad, good, sequences
from envelope_parts import ATTIC, CELLAR, LAPTOP, SERVER, STRANGER, TABLET

FORMAT = """Known answers of the envelope shape (docs/PROTOCOL.md). Keys are standard base64, `rid` is base64url.
`clients` are registered, `stranger` is not; a linked key works only with its own secret, an unlinked one with every
unlinked secret. The functions of `functions` exist and may be called by all; echo returns its args, or the empty text.
Each of `cases` is for a fresh server: its steps are POST /v1 in order, `body` sent as it stands with the clock at
`server_now` (Unix second) and, where given, the guard's `floor` at that second. A step with `truncate` = "every" stands
for one POST for each shorter length of its sealed bytes. `client` and `rid` name the keys that open a sealed answer.
`expect` is one of {"status":200,"entry",...} (with "value", or "error" for a code sealed in the answer),
{"status":401,"plain":true} (empty body) and {"status":401,"code":"clock_skew","not_before"} (sealed answer).
A step with `request` was made from its members: the same parts give the same body. `message` is M before its padding.
`answers` are for clients: `body` is what came back for `rid`; `expect` is {"value"}, {"error"} or {"refused":true}."""


def document(cases, answers):
    return {
        "format": FORMAT.replace("\n", " "),
        "request_ttl": 30,
        "server": {"private": SERVER.data()["private"], "public": SERVER.data()["public"]},
        "clients": [party.data() for party in (LAPTOP, TABLET, ATTIC, CELLAR)],
        "stranger": STRANGER.data(),
        "functions": ["echo"],
        "cases": cases,
        "answers": answers,
    }


def main():
    cases, replies = [*good(), *bad(), *sequences()], list(answers())
    names = [entry["name"] for entry in cases]
    assert len(names) == len(set(names)), "a name stands twice"
    path = Path(__file__).with_name("envelope-vectors.json")
    path.write_text(json.dumps(document(cases, replies), ensure_ascii=False, indent=1) + "\n")
    print(f"{len(cases)} cases, {len(replies)} answers: {path.name}")


if __name__ == "__main__":
    main()
