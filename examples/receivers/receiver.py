"""A webhook receiver that needs nothing but Python 3.9: it verifies each delivery, stores it once, and then answers.

    WEBHOOK_KEYS="whsec_..." python3 receiver.py PORT INBOX

A file INBOX/<webhook-id>.json is a delivery that was stored. Let another program process these files.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import sys
import tempfile
import time

# How far the time of an attempt may be from this machine's clock, in seconds.
TOLERANCE = 5 * 60
# webhook.maxResultSize of the route (16Mi by default), and the JSON-RPC response around it.
LARGEST = 17 * 1024 * 1024


def verify(keys, headers, body, now):
    """Returns the id of the delivery. Raises ValueError unless one of the keys signed its id, its time and its body."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        raise ValueError("webhook-timestamp is missing, too old or in the future")
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = headers.get("webhook-signature", "").encode().split()
    for key in keys:
        text = key.removeprefix("whsec_")
        secret = base64.b64decode(text + "=" * (-len(text) % 4))
        expected = b"v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
        if any(hmac.compare_digest(expected, signature) for signature in signatures):
            return message_id
    raise ValueError("no signature in webhook-signature matches")


def store(inbox, message_id, body):
    """Stores a delivery durably. Returns whether it is new: the name of the file is taken if it was stored before."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", message_id):
        raise ValueError("webhook-id is not a file name")
    with tempfile.NamedTemporaryFile(dir=inbox) as draft:
        draft.write(body)
        draft.flush()
        os.fsync(draft.fileno())
        try:
            os.link(draft.name, os.path.join(inbox, f"{message_id}.json"))
        except FileExistsError:
            return False
    directory = os.open(inbox, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


def log(line):
    """Writes a line at once: print() would let the lines of two threads meet."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            return self.answer(411, "send content-length")
        if int(length) > LARGEST:
            return self.answer(413, "the body is too large")
        body = self.rfile.read(int(length))
        try:
            message_id = verify(KEYS, self.headers, body, time.time())
            is_new = store(INBOX, message_id, body)
        except ValueError as error:
            return self.answer(401, str(error))
        except OSError as error:
            # Not stored, so not accepted: the sender tries again.
            return self.answer(503, f"cannot store it: {error}")
        tool = self.headers.get("ce-subject")
        log({"webhookId": message_id, "tool": tool, "duplicate": not is_new})
        self.answer(200, "stored")

    def answer(self, status, text):
        if status >= 400:
            self.close_connection = True
            log({"refused": status, "why": text})
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    KEYS = os.environ["WEBHOOK_KEYS"].split()
    PORT, INBOX = int(sys.argv[1]), sys.argv[2]
    os.makedirs(INBOX, exist_ok=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
