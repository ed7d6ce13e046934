#!/usr/bin/env python3
"""The plugin hello: reads one request, and answers in lines of JSON. What it prints on standard error is its log."""

import json
import sys


def tell(kind, **fields):
    print(json.dumps({"type": kind, **fields}), flush=True)


def hello(who):
    greeting = f"Hello, {who}!"
    tell("output", text=greeting)
    return greeting, {"greeting": greeting, "length": len(greeting)}


def main():
    request = json.load(sys.stdin)
    actions = {"hello": hello}
    try:
        message, data = actions[request["action"]](**request["inputs"])
    except OSError as fault:  # what can go wrong in the world is a failure; anything else is a fault of this program
        tell("result", status="failed", message=str(fault))
        return
    tell("result", status="ok", message=message, data=data)


main()
