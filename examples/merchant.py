# A whole merchant, Python 3.9 and no package: WEFT_URL=… WEFT_KEY=… WEFT_SECRET=… python3 examples/merchant.py
import base64, hashlib, hmac, json, os, secrets, sys, time, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

shipped, lock = set(), Lock()  # keep it in your database


def place():
    number = "T" + secrets.token_hex(15)  # keep it in your database first: the same number again is the same order
    order = {"out_trade_no": number, "description": "A cup of tea", "amount": {"total": 990}}
    headers = {"Authorization": "Bearer " + os.environ["WEFT_KEY"], "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["WEFT_URL"] + "/v1/orders", json.dumps(order).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["checkout_url"]
    except urllib.error.HTTPError as refused:
        problem = json.load(refused)
        raise RuntimeError(f"Weft says {problem['code']}: {problem['detail']} {problem['remedy']}") from None
    except OSError as away:
        raise RuntimeError(f"Weft does not answer. Try again. ({away})") from None


def is_genuine(headers, body):
    number, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
    key = base64.b64decode(os.environ["WEFT_SECRET"][len("whsec_"):])
    expected = b"v1," + base64.b64encode(hmac.digest(key, f"{number}.{moment}.".encode() + body, hashlib.sha256))
    signatures = headers.get("webhook-signature", "").encode().split(b" ")
    is_signed = any(hmac.compare_digest(expected, signature) for signature in signatures)
    return is_signed and moment.isdigit() and abs(time.time() - int(moment)) <= 300


def hear(event):
    number = event["data"].get("order", {}).get("out_trade_no")
    with lock:
        if event["type"] == "order.paid" and number not in shipped:
            print("ship", number, flush=True)  # once per out_trade_no
            shipped.add(number)
        # To order.fulfilment_cancelled this means: too late, it is on its way; without it the money goes back.
        return {"fulfilment": "fulfilled"} if number in shipped else {}


class Merchant(BaseHTTPRequestHandler):
    def answer(self, status, headers, body=""):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        if self.path != "/buy":
            return self.answer(404, {})
        try:
            self.answer(303, {"Location": place()})
        except Exception as error:
            print(error, file=sys.stderr, flush=True)
            self.answer(500, {"Content-Type": "text/plain; charset=utf-8"}, str(error))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not is_genuine(self.headers, body):
            return self.answer(401, {})
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(hear(json.loads(body))))


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 3000))), Merchant).serve_forever()
