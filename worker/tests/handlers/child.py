"""A child of the kind `process` for the worker's tests: behaves as each task's input says."""

import json
import os
import sys
import time


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


held = []

for line in sys.stdin:
    task = json.loads(line)
    task_id, given = task["id"], task["input"]
    what = given.get("do")
    if what == "echo":
        # The input's own text, to the byte.
        text = line[line.index('"input":') + len('"input":') : -2]
        sys.stdout.write('{"id":"%s","output":%s}\n' % (task_id, text))
        sys.stdout.flush()
    elif what == "show":
        say({"id": task_id, "output": {"function": task["function"], "resource": task["resource"], "mode": os.environ.get("MODE"), "secret": os.environ.get("STEPWELL_AMQP__URL"), "role_arn": task.get("role_arn"), "deadline": "deadline" in task, "folder": os.path.exists("child.py")}})
    elif what == "pid":
        say({"id": task_id, "output": os.getpid()})
    elif what == "null":
        say({"id": task_id, "output": None})
    elif what == "fail":
        sys.stdout.write('{"id": "%s", "failure": {"errorMessage":  "no", "errorType": "Lambda.ServiceException"}}\n' % task_id)
        sys.stdout.flush()
    elif what == "hold":
        held.append(task_id)
    elif what == "release":
        say({"id": task_id, "output": "released"})
        for other in held:
            say({"id": other, "output": "held"})
        held.clear()
    elif what == "second":
        # Only the second child answers.
        if os.path.exists("second"):
            say({"id": task_id, "output": "second"})
        open("second", "w").close()
    elif what == "exit":
        sys.stderr.write("so long\n")
        sys.stderr.flush()
        os._exit(3)
    elif what == "hang":
        time.sleep(3600)
    elif what == "ignore":
        pass
    elif what == "beat":
        say({"id": task_id, "heartbeat": True})
        held.append(task_id)
    elif what == "print":
        sys.stdout.write("hello\n")
        sys.stdout.flush()
    elif what == "unasked":
        say({"id": "999999", "output": 1})
    elif what == "empty":
        say({"id": task_id})
    elif what == "large":
        say({"id": task_id, "output": "x" * given["bytes"]})
    elif what == "close":
        sys.stdout.flush()
        os.close(1)
        time.sleep(3600)
