"""What every peer does: answers requests, one JSON object a line, with its methods hello, build and run."""

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


def serve(peer):
    """Answers until standard input ends. A request that fails is answered by {"error": "..."}."""
    operations = {"hello": peer.hello, "build": peer.build, "run": peer.run}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = operations[request.pop("op")](**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
