#!/usr/bin/env python3
"""Runs envelope-vectors.json through util/client.py: its requests to the byte, and every answer."""
import base64
import json
import sys
from pathlib import Path

from nacl.public import PrivateKey

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[3] / "util"))
sys.dont_write_bytecode = True
import client  # noqa: E402


def check_request(key, server, step):
    parts = step["request"]
    made = client.request(
        key, server, parts["secret"], parts["ts"], parts["entry"], base64.urlsafe_b64decode(step["rid"]),
        parts.get("args", ...), bytes.fromhex(parts["nonce_hex"]), PrivateKey(bytes.fromhex(parts["ephemeral_hex"])))
    assert made == step["body"], "another body"


def opened(key, server, answer):
    try:
        members = client.open_answer(key, server, base64.urlsafe_b64decode(answer["rid"]), answer["body"])
    except ValueError:
        return {"refused": True}
    return {name: members[name] for name in ("value", "error") if name in members}


def main():
    vectors = json.loads((HERE / "envelope-vectors.json").read_text())
    server = base64.b64decode(vectors["server"]["public"])
    keys = {entry["name"]: PrivateKey(base64.b64decode(entry["private"])) for entry in vectors["clients"]}
    requests = answers = 0
    for case in vectors["cases"]:
        for step in case["steps"]:
            if "request" in step:
                check_request(keys[step["client"]], server, step)
                requests += 1
            if "answer" in step:
                expected = json.loads(step["answer"]["text"])
                answer = {"rid": step["rid"], "body": step["answer"]["body"]}
                outcome = {name: expected[name] for name in ("value", "error") if name in expected}
                assert opened(keys[step["client"]], server, answer) == outcome, case["name"]
                answers += 1
    for answer in vectors["answers"]:
        assert opened(keys[answer["client"]], server, answer) == answer["expect"], answer["name"]
        answers += 1
    print(f"util/client.py: {requests} requests and {answers} answers as expected")


if __name__ == "__main__":
    main()
