"""A command for the worker's tests: writes and ends as its input says."""

import json
import os
import signal
import sys

given = json.load(sys.stdin)
if given.get("show"):
    names = ["MODE", "STEPWELL_FUNCTION", "STEPWELL_STATE", "STEPWELL_EXECUTION", "STEPWELL_ROLE_ARN"]
    print(json.dumps([os.environ.get(name) for name in names]))
sys.stderr.write(given.get("stderr", "") * given.get("times", 1))
sys.stderr.flush()
sys.stdout.buffer.write(given.get("stdout", "").encode("latin-1"))
sys.stdout.flush()
if given.get("kill"):
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(given.get("exit", 0))
