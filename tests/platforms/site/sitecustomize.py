"""Python runs this at the start of every process that has this folder on PYTHONPATH: it becomes the platform named."""

import os
import sys

if name := os.environ.get("EMULATED_PLATFORM"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
    try:
        import emulation
    finally:
        del sys.path[0]
    emulation.become(name)
