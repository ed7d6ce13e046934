"""A session of Python's stomp.py with a broker: session.py PORT VERSION [CA]. It prints what it sees, one line each."""
import queue
import sys

import stomp

port, version = int(sys.argv[1]), sys.argv[2]
Connection = {"1.1": stomp.Connection11, "1.2": stomp.Connection12}[version]
events = queue.Queue()


class Listener(stomp.ConnectionListener):
    def on_message(self, frame):
        events.put(("message", frame))

    def on_receipt(self, frame):
        events.put(("receipt", frame))

    def on_error(self, frame):
        events.put(("error", frame))


def want(kind):
    got, frame = events.get(timeout=10)
    if got != kind:
        raise SystemExit(f"got {got} {frame.headers} {frame.body}, want {kind}")
    return frame


def ack(conn, frame, nack=False):
    f = conn.nack if nack else conn.ack
    if version == "1.1":
        f(frame.headers["message-id"], frame.headers["subscription"])
    else:
        f(frame.headers["ack"])


conn = Connection([("127.0.0.1", port)], heartbeats=(15000, 15000))
if len(sys.argv) > 3:
    conn.set_ssl([("127.0.0.1", port)], ca_certs=sys.argv[3])
conn.set_listener("", Listener())
conn.connect("joe", "secret", wait=True)

conn.subscribe("/topic/t", id="topic", ack="auto")
conn.send("/topic/t", "grüße", headers={"odd": "line\nbreak \\ colon:", "receipt": "r1"})
m = want("message")
print("topic", m.body, repr(m.headers["odd"]), m.headers["fettle-sender"])
print("receipt", want("receipt").headers["receipt-id"])

for i in range(3):
    conn.send("/queue/q", f"m{i}")
conn.subscribe("/queue/q", id="queue", ack="client-individual", headers={"prefetch-count": "1"})
m = want("message")
ack(conn, m, nack=True)
m = want("message")
print("again", m.body, m.headers["redelivered"])
ack(conn, m)
for _ in range(2):
    m = want("message")
    print("queue", m.body)
    ack(conn, m)

for end in ("abort", "commit"):
    tx = conn.begin()
    conn.send("/queue/q", end, transaction=tx)
    getattr(conn, end)(tx)
m = want("message")
print("transaction", m.body)
ack(conn, m)

conn.unsubscribe("queue", receipt="r2")
print("receipt", want("receipt").headers["receipt-id"])
conn.send("/nowhere", "x", headers={"receipt": "r3"})
m = want("error")
print("error", m.headers["receipt-id"], m.headers["message"])
