"""Takes a gateway's messages: SECRET=whsec_… python3 webhook.py PORT prints each that is genuine (Standard Webhooks)."""
import base64, hashlib, hmac, http.server, json, os, sys, time

KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
seen = set()  # A message is sent until it is answered with 2xx: one may come twice. Keep ids where they outlive a restart.


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), 65536))
        message, sent = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        signed = f"{message}.{sent}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        given = self.headers.get("webhook-signature", "").split(" ")
        genuine = any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)
        # An old message that somebody recorded is none; five minutes are what clocks may differ by.
        if not genuine or not sent.isdigit() or abs(time.time() - int(sent)) > 300:
            return self.send_error(400)
        if message not in seen:
            seen.add(message)
            data = json.loads(body)["data"]  # Where it stands; receipts are asked for with the token: GET data["receipts"].
            print(data["state"], data["id"], flush=True)
        self.send_response(204)
        self.end_headers()


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
