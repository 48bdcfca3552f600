"""Creates an endpoint, publishes and lists with grpcurl, and receives what was published.

calls.py GRPCURL; the server's address is in POSTRIDER_ADDRESS. grpcurl knows the contract through
reflection alone.
"""

import http.server
import json
import os
import queue
import subprocess
import sys
import threading

PATIENCE = 20  # Seconds.

grpcurl = sys.argv[1]
address = os.environ["POSTRIDER_ADDRESS"]
received = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.put((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def run(*arguments):
    return subprocess.run(
        [grpcurl, "-plaintext", *arguments], capture_output=True, text=True, timeout=PATIENCE
    )


def call(method, request):
    """The answer of a call that must succeed."""
    result = run("-d", json.dumps(request), address, "postrider.v1." + method)
    assert result.returncode == 0, f"{method}: {result.stderr}"
    return json.loads(result.stdout)


def check(holds, what, output=""):
    assert holds, f"{what}: {output}"
    print("ok:", what)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    tenant = {"org_id": "org_grpcurl", "env_id": "env_1"}

    services = run(address, "list").stdout.split()
    for service in ("PublisherService", "EndpointService", "EventService", "DeliveryService"):
        check("postrider.v1." + service in services, f"reflection lists {service}")
    described = run(address, "describe", "postrider.v1.PublishRequest").stdout
    check("idempotency_key" in described, "reflection describes PublishRequest")

    created = call("EndpointService/CreateEndpoint", {"endpoint": {**tenant, "url": url}})
    endpoint = created["endpoint"]["id"]
    check(created["secret"].startswith("whsec_"), "CreateEndpoint answers a secret")

    published = call(
        "PublisherService/Publish",
        {**tenant, "type": "message.received", "data": {"n": 1, "text": "caf\u00e9"}},
    )
    check(published["delivery_count"] == 1, "Publish matches the endpoint")
    event = published["event_id"]

    headers, body = received.get(timeout=PATIENCE)
    headers = {name.lower(): value for name, value in headers.items()}
    check(headers["webhook-id"] == event, "the event arrives under its id")
    check(json.loads(body)["data"] == {"n": 1, "text": "caf\u00e9"}, "its data arrives")

    events = call("EventService/ListEvents", tenant)["events"]
    check([listed["id"] for listed in events] == [event], "ListEvents lists it")
    endpoints = call("EndpointService/ListEndpoints", tenant)["endpoints"]
    check([listed["id"] for listed in endpoints] == [endpoint], "ListEndpoints lists the endpoint")
    deliveries = call("DeliveryService/ListDeliveries", {"event_id": event})["deliveries"]
    check(len(deliveries) == 1, "ListDeliveries lists its delivery")

    bad = json.dumps({**tenant, "type": "Bad Type"})
    refused = run("-d", bad, address, "postrider.v1.PublisherService/Publish")
    check("InvalidArgument" in refused.stderr, "a bad request is InvalidArgument", refused)
    check('"field": "type"' in refused.stderr.replace("\\", ""), "and grpcurl shows the field")
    health = run(address, "grpc.health.v1.Health/Check")
    check('"SERVING"' in health.stdout, "health is SERVING", health)


main()
