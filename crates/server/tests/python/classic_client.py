"""A classic client as the original's users wrote them: PyNaCl, four boxes, one answer.

    python3 classic_client.py URL [FUNCTION]

Reads client.secret, client.key and server.pub from the current folder, exactly as they are.
"""
import base64, json, sys, time, urllib.error, urllib.request, zlib
from nacl.public import Box, PrivateKey, PublicKey


def least_bytes(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def main(url, function="time_test"):
    secret = open("client.secret").read()
    private = PrivateKey(base64.b64decode(open("client.key").read()))
    server = PublicKey(base64.b64decode(open("server.pub").read()))
    box = Box(private, server)

    def seal(plain):
        return base64.urlsafe_b64encode(box.encrypt(plain)).decode()

    body = {
        "id": seal(secret.encode()),
        "check": seal(least_bytes(zlib.crc32(secret.encode()))),
        "ts": seal(least_bytes(int(time.time()))),
        "entry": seal(function.encode()),
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        answer = json.load(urllib.request.urlopen(request, timeout=10))
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} from {url}")
    print(box.decrypt(base64.urlsafe_b64decode(answer["value"])).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
