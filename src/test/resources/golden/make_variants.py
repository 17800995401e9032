#!/usr/bin/env python3
"""Writes variants/<op>.json: cases of odd shapes and options, from the formulas restated in variants/<op>.py.

    python3 make_variants.py [OP ...]      needs numpy; all ops where none is named

Nothing there is shared with the library.
"""
import importlib
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "variants"
SHARED = {"pieces", "projector"}


def write(op):
    lines = [json.dumps({"op": op, **case}) for case in importlib.import_module(op).cases()]
    text = '{"source": "variants/%s.py", "cases": [\n%s\n]}\n' % (op, ",\n".join(lines))
    (FOLDER / f"{op}.json").write_text(text)


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER))
    sys.dont_write_bytecode = True
    for op in sys.argv[1:] or sorted({file.stem for file in FOLDER.glob("*.py")} - SHARED):
        write(op)
