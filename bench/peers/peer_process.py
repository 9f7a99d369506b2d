"""What every peer does: answers requests, one JSON object a line, with its methods hello, build and run, and memory."""

import json
import sys
import time


def mean_ms(action, untimed, count):
    """Mean time of `count` calls, after some that are not timed."""
    for _ in range(untimed):
        action()
    start = time.perf_counter()
    for _ in range(count):
        action()
    return {"ms": (time.perf_counter() - start) * 1000 / count}


def peak_memory():
    """Highest resident memory of this process, as Linux counts it; None on other systems."""
    try:
        with open("/proc/self/status") as file:
            lines = dict(line.split(":", 1) for line in file)
    except OSError:
        return {"bytes": None}
    return {"bytes": 1024 * int(lines["VmHWM"].split()[0])}


def serve(peer):
    """Answers until standard input ends. A request that fails is answered by {"error": "..."}."""
    operations = {"hello": peer.hello, "build": peer.build, "run": peer.run, "memory": peak_memory}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request.pop("op")](**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
