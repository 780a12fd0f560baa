"""How a twin is asked: one JSON object a line, each answered with one line, timed."""

import argparse
import json
import os
import statistics
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
import transformers

import common


def memory():
    """Resident memory now and at its peak, in bytes."""
    fields = {}
    with open("/proc/self/status") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                fields[name] = int(value.split()[0]) * 1024
    return {"resident": fields.get("VmRSS"), "peak": fields.get("VmHWM")}


def answer(request, model, tasks):
    """Runs one request, timed: wall time of the task alone, in milliseconds."""
    if request["task"] == "memory":
        return {"task": "memory", **memory()}
    task = tasks[request["task"]]
    for _ in range(request.get("warmup", 0)):
        task(model, request)
    times = []
    for _ in range(request.get("repeat", 1)):
        begin = time.perf_counter()
        result = task(model, request)
        times.append((time.perf_counter() - begin) * 1000)
    return {"task": request["task"], "ms": statistics.median(times), "times": times, **result}


def serve(description, tasks, load=common.load):
    """Loads the model, says that it is ready, and answers until the input ends."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", help="a JSON file with a list of requests")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    begin = time.perf_counter()
    model = load(arguments.model)
    loaded = (time.perf_counter() - begin) * 1000
    ready = {
        "ready": True,
        "load_ms": loaded,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
    print(json.dumps(ready), flush=True)
    if arguments.once:
        with open(arguments.once) as file:
            requests = json.load(file)
    else:
        requests = (json.loads(line) for line in sys.stdin if line.strip())
    for request in requests:
        try:
            reply = answer(request, model, tasks)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)
