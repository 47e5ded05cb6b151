"""Sends what standard input says with kafka-python: without a key, as JSON.

Usage: send.py BROKER TOPIC. It prints "ready" once it is connected. Each line
is an event, which is serialised, or "raw " and the message as it is. At the end
of the input it waits for the acknowledgements and prints their number.
"""

import json
import sys

from kafka import KafkaProducer

broker, topic = sys.argv[1:]
events = KafkaProducer(bootstrap_servers=broker, value_serializer=lambda v: json.dumps(v).encode())
raw = KafkaProducer(bootstrap_servers=broker)
print("ready", flush=True)

sent = []
for line in sys.stdin:
    line = line.rstrip("\n")
    if line.startswith("raw "):
        sent.append(raw.send(topic, line.removeprefix("raw ").encode()))
    else:
        sent.append(events.send(topic, json.loads(line)))
for future in sent:
    future.get(timeout=30)
print(len(sent), flush=True)
