#!/usr/bin/env python3
"""Leaves in a library the GPU code of one architecture alone, as if nvcc had been asked for no other:

    tools/keep_gpu_code.py LIBRARY 90

The file keeps its size; what is gone is zeros, which any compression takes away. It is rewritten in place: the
caller gives a copy. PTX goes, too, so that a GPU of another architecture is refused instead of compiling for minutes.

nvcc puts its output into the section .nv_fatbin: containers one behind another, each of a header and of entries, one
for each architecture. NVIDIA documents neither; the fields below are those that cuobjdump shows of CUDA 13's.
"""

import mmap
import struct
import sys

SECTION = b".nv_fatbin\0"
MAGIC = 0xBA55ED50  # begins a container
CONTAINER = "<IHHQ"  # magic, version, bytes of this header, bytes of the entries behind it
ENTRY = "<HHIQ"  # kind, version, bytes of this header, bytes of the code behind it
ARCHITECTURE = 28  # where in an entry's header it stands, such as 90
MACHINE_CODE = 2  # the kind; 1 is PTX


def section_of(memory, name):
    """Begin and end of a section in a 64-bit ELF file; None if it has none of this name."""
    if memory[:5] != b"\x7fELF\x02":
        raise SystemExit("keep_gpu_code.py: no 64-bit ELF file")
    (table,) = struct.unpack_from("<Q", memory, 0x28)
    size, count, names = struct.unpack_from("<HHH", memory, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", memory, table + i * size) for i in range(count)]
    text = headers[names][4]
    for at, _, _, _, offset, length in headers:
        if memory[text + at : text + at + len(name)] == name:
            return offset, offset + length
    return None


def keep(memory, begin, end, architecture):
    """Rewrites each container between begin and end; returns how many there were, and the bytes of code left."""
    containers = left = 0
    while begin < end:
        magic, _, header, length = struct.unpack_from(CONTAINER, memory, begin)
        if magic != MAGIC:
            begin += 8  # between containers, which begin at multiples of 8 bytes
            continue
        kept = b""
        entry, stop = begin + header, begin + header + length
        while entry < stop:
            kind, _, own, code = struct.unpack_from(ENTRY, memory, entry)
            (of,) = struct.unpack_from("<I", memory, entry + ARCHITECTURE)
            if kind == MACHINE_CODE and of == architecture:
                kept += memory[entry : entry + own + code]
            entry += own + code
        if not kept:
            raise SystemExit(f"keep_gpu_code.py: kernels at byte {begin} have no code for sm_{architecture}")
        memory[begin + header : stop] = kept + bytes(length - len(kept))
        struct.pack_into("<Q", memory, begin + 8, len(kept))
        containers, left, begin = containers + 1, left + len(kept), stop
    return containers, left


def main():
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
        raise SystemExit("usage: keep_gpu_code.py LIBRARY ARCHITECTURE, such as 90")
    with open(sys.argv[1], "r+b") as library, mmap.mmap(library.fileno(), 0) as memory:
        section = section_of(memory, SECTION)
        if section is None:
            raise SystemExit(f"keep_gpu_code.py: {sys.argv[1]} has no GPU code")
        containers, left = keep(memory, *section, int(sys.argv[2]))
    print(f"{containers} containers, {left} bytes of code for sm_{sys.argv[2]}")


main()
