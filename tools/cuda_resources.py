#!/usr/bin/env python3
"""Registers, shared memory and occupancy of every kernel, and what its main loop consists of.

  tools/cuda_resources.py check   LIBRARY    compares the architectures in LIBRARY with the committed tables
  tools/cuda_resources.py update  LIBRARY    writes the tables; LIBRARY must hold all architectures

LIBRARY is libstructkd_cuda.so. The tables are docs/cuda-resources.csv and docs/cuda-loops.csv; docs/cuda-launches.csv
(structkd_launch_list) tells them the size of a block and its dynamic shared memory. They
belong to one version of nvcc: with another one there is nothing to compare. (A spill fails every build.) CUDA_BIN names the folder of
cuobjdump and nvdisasm, CUDA_INCLUDE that of cuda_occupancy.h; tools/cuda-resources.sh finds both.
"""
import collections
import csv
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESOURCES = ROOT / "docs/cuda-resources.csv"
LOOPS = ROOT / "docs/cuda-loops.csv"
LAUNCHES = ROOT / "docs/cuda-launches.csv"
ARCHITECTURES = [75, 80, 86, 89, 90, 100, 120]
LOOP_ARCHITECTURES = [80, 89, 90]  # of the GPUs that tools/cuda_model.py knows
INSTRUCTION_BYTES = 16  # of every architecture since sm_70
SYSTEM_SHARED = 1024  # bytes of every block that cuobjdump counts since sm_90, and cuda_occupancy.h adds

# Classes of instructions, first match wins. What computes: f32, f64, tensor, special.
CLASSES = [
    ("tensor", r"HMMA|IMMA|DMMA|HGMMA"),
    ("f64", r"DFMA|DADD|DMUL|DSETP|DMNMX"),
    ("f32", r"FFMA|FADD|FMUL|FSETP|FMNMX|FSEL|FSET|HFMA2|HADD2|HMUL2|FFMA2"),
    ("special", r"MUFU"),
    ("convert", r"F2F|I2F|F2I|I2FP|F2FP|FRND|I2I"),
    ("global_load", r"LDG|LD$|LD\.|LDGSTS"),
    ("global_store", r"STG|ST$|ST\.|ATOM|RED"),
    ("shared_load", r"LDS|LDSM|SHFL"),
    ("shared_store", r"STS|ATOMS|STSM"),
    ("barrier", r"BAR|DEPBAR|LDGDEPBAR|MEMBAR|WARPSYNC|BSYNC|BSSY|BREAK"),
    ("branch", r"BRA|EXIT|CALL|RET|JMP|BRX"),
    ("integer", r"IMAD|IADD|VIADD|LOP3|PLOP3|SHF|LEA|ISETP|IMNMX|VIMNMX|IABS|POPC|FLO|BREV|UIMAD|UIADD|ULOP3|USHF|ULEA|UISETP"),
    ("other", r""),
]

COMPUTING = ("tensor", "f64", "f32", "special")

# Floating-point operations of a warp's instruction.
WARP_FLOPS = [
    (r"FFMA|DFMA|FFMA2", 2 * 32),
    (r"FADD|FMUL|DADD|DMUL", 32),
    (r"DMMA\.(8x8x4|884)", 2 * 8 * 8 * 4),
    (r"DMMA\.16x8x4", 2 * 16 * 8 * 4),
    (r"DMMA\.16x8x8", 2 * 16 * 8 * 8),
    (r"DMMA\.16x8x16", 2 * 16 * 8 * 16),
    (r"HMMA\.1688\.F32\.TF32", 2 * 16 * 8 * 8),
    (r"HMMA\.1684\.F32\.TF32", 2 * 16 * 8 * 4),
    (r"HMMA\.16816", 2 * 16 * 8 * 16),
]

# Cycles for which an instruction of a warp keeps a pipe of its quarter of a multiprocessor, per
# architecture of LOOP_ARCHITECTURES: CUDA C++ Programming Guide, "Throughput of Native Arithmetic
# Instructions", and the data sheets' rates of tensor cores (dense). First match wins; one instruction per
# cycle is issued, whatever it is. Shared memory: one pass per access.
PIPES = [
    ("tensor", r"DMMA\.(8x8x4|884)", (16, 256, 8)),
    ("tensor", r"DMMA\.16x8x4", (32, 512, 16)),
    ("tensor", r"DMMA\.16x8x8", (64, 1024, 32)),
    ("tensor", r"DMMA\.16x8x16", (128, 2048, 64)),
    ("tensor", r"HMMA\.1684\.F32\.TF32", (4, 16, 2)),
    ("tensor", r"HMMA\.1688\.F32\.TF32", (8, 32, 4)),
    ("tensor", r"HMMA\.16816", (8, 32, 4)),
    ("f64", r"DFMA|DADD|DMUL|DSETP", (4, 64, 2)),
    ("special", r"MUFU", (8, 8, 8)),
    ("convert", r"F2F\.F64|F2F\.F32\.F64|I2F\.F64|F2I\.F64", (8, 64, 8)),
    ("convert", r"F2F|I2F|F2I|I2FP|F2FP|FRND", (2, 2, 2)),
    ("f32", r"FFMA|FADD|FMUL|IMAD", (2, 1, 1)),
    ("integer", r"IADD|VIADD|LOP3|PLOP3|SHF|LEA|ISETP|FSETP|FMNMX|FSEL|SEL|PRMT|VIMNMX|IMNMX", (2, 2, 2)),
    ("shared", r"LDSM|LDS|STS|SHFL|ATOMS", (4, 4, 4)),
    ("global", r"LDG|STG|LDGSTS", (4, 4, 4)),
]


def run(*command, stdin=None):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"structkd: {command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def tool(name):
    return str(pathlib.Path(os.environ.get("CUDA_BIN", "")) / name)


def without_namespaces(text):
    """As g++ and the demangler both write it."""
    for noise in ("void ", "(anonymous namespace)::", "{anonymous}::", "structkd::", "cuda::"):
        text = text.replace(noise, "")
    return text.replace("> >", ">>")


def demangled(names):
    """Without namespaces, return type and parameters: "gram_kernel<float, 64>"."""
    short = {}
    for name, text in zip(names, run("c++filt", stdin="\n".join(names)).splitlines()):
        text = without_namespaces(text)
        depth = 0
        for i, letter in enumerate(text):
            depth += (letter == "<") - (letter == ">")
            if letter == "(" and depth == 0:
                text = text[:i]
                break
        short[name] = text
    return short


def cubins(library, folder):
    """{capability: [paths]} of the code in the library."""
    subprocess.run([tool("cuobjdump"), "-xelf", "all", str(library)], cwd=folder, check=True, capture_output=True)
    found = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).glob("*.cubin")):
        capability = re.search(r"sm_(\d+)", path.name)
        found[int(capability.group(1))].append(path)
    return found


def resources_of(cubin, capability):
    """{mangled name: (registers, shared bytes, stack bytes, most threads of a block)}"""
    usage = {}
    text = run(tool("cuobjdump"), "-res-usage", str(cubin))
    pattern = r"Function (\S+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)"
    for name, registers, stack, shared, local in re.findall(pattern, text):
        own_shared = int(shared) - (SYSTEM_SHARED if capability >= 90 else 0)
        usage[name] = [int(registers), own_shared, int(stack) + int(local), 1024]
    section = None  # .nv.info of a kernel with __launch_bounds__ tells its most threads
    lines = iter(run(tool("cuobjdump"), "-elf", str(cubin)).splitlines())
    for line in lines:
        header = re.match(r"\.nv\.info\.(\S+)", line)
        section = header.group(1) if header else section
        if "EIATTR_MAX_THREADS" in line and section in usage:
            next(lines)  # its format
            usage[section][3] = product_of(re.findall(r"0x[0-9a-f]+", next(lines)))
    return usage


def product_of(numbers):
    product = 1
    for number in numbers:
        product *= int(number, 16)
    return product


def occupancies(rows):
    """Blocks per multiprocessor of (capability, registers, shared, dynamic shared, threads), all at once."""
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/occupancy"
        run(os.environ.get("CXX", "g++"), "-std=c++17", "-O1", "-isystem", os.environ["CUDA_INCLUDE"],
            str(ROOT / "tools/cuda_occupancy.cpp"), "-o", program)
        lines = "".join(" ".join(map(str, row)) + "\n" for row in rows)
        return [int(line) for line in run(program, stdin=lines).split()]


MOST_THREADS = {75: 1024, 80: 2048, 86: 1536, 89: 1536, 90: 2048, 100: 2048, 120: 1536}


def launches():
    """Rows of what structkd_launch_list printed, kernels named as here."""
    with open(LAUNCHES) as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    for row in rows:
        row["kernel"] = without_namespaces(row["kernel"])
    return rows


def blocks_launched():
    """{(capability, kernel): (threads, most dynamic shared bytes)} of the bench's cases."""
    largest = {}
    for row in launches():
        block = (int(row["threads"]), int(row["dynamic_shared"]))
        for capability in (c for c in ARCHITECTURES if launched_like(c) == row["device"]):
            key = capability, row["kernel"]
            largest[key] = max(block, largest.get(key, (0, 0)))
    return largest


def launched_like(capability):
    """The device of docs/cuda-launches.csv that chooses forms as this architecture does: by the rate of f64."""
    if capability < 80:
        return "sm_75"
    return "sm_90" if capability in (80, 90, 100) else "sm_89"


def resource_rows(found):
    rows = []
    blocks = blocks_launched()
    for capability, paths in sorted(found.items()):
        for path in paths:
            usage = resources_of(path, capability)
            names = demangled(list(usage))
            for name, (registers, shared, stack, most_threads) in usage.items():
                threads, dynamic = blocks.get((capability, names[name]), (most_threads, "-"))
                rows.append([names[name], capability, threads, registers, shared, dynamic, stack])
    launched = [row for row in rows if row[5] != "-"]
    resident = occupancies([(row[1], row[3], row[4], row[5], row[2]) for row in launched])
    for row, count in zip(launched, resident):
        row += [count, f"{100 * count * row[2] // MOST_THREADS[row[1]]}%"]
    return sorted((row + ["-", "-"] if row[5] == "-" else row for row in rows), key=lambda row: row[:2])


def class_of(opcode):
    for name, pattern in CLASSES:
        if re.match(pattern, opcode):
            return name
    return "other"


def computing_in(instructions):
    return sum(class_of(i["opcode"]) in COMPUTING for i in instructions)


def loops_of(instructions):
    """{first: last} of its loops: jumps back, of those to one place the farthest."""
    loops = {}
    for i, instruction in enumerate(instructions):
        target = re.search(r"0x([0-9a-f]+)$", instruction.get("operands", ""))
        if instruction["opcode"].startswith("BRA") and target:
            first = int(target.group(1), 16) // INSTRUCTION_BYTES
            if first < i:  # a jump to itself ends every kernel
                loops[first] = i
    return loops


NESTED = 4  # times that a loop within another is taken to run: for comparing loops, nothing else
DEEPEST = 4  # beyond, jumps back lead to code that is rare and was moved behind the rest: no loops around it


def main_part(instructions):
    """(instructions, a warp's way, True) of the loop that computes most, without loops in it; where the compiler
    unrolled it, so that what computes stands outside of loops, (all, all, False)."""
    loops = loops_of(instructions)

    def within(i, loop):
        return loop[0] <= i <= loop[1]

    def own(loop, indices):
        inner = [other for other in loops.items() if other != loop and within(other[0], loop) and within(other[1], loop)]
        return [i for i in indices if not any(within(i, other) for other in inner)]

    def taken(indices):
        return [instructions[i] for i in indices]

    def weight(loop):
        depth = sum(within(loop[0], other) and within(loop[1], other) for other in loops.items())
        return NESTED ** min(depth, DEEPEST) * warp_flops(executed(taken(own(loop, range(loop[0], loop[1] + 1)))))

    best = max(loops.items(), key=weight, default=None)
    part = own(best, range(best[0], best[1] + 1)) if best else []
    if 4 * NESTED * computing_in(taken(part)) < computing_in(instructions):
        return instructions, instructions, False
    return taken(part), taken(own(best, way_through(instructions, best, part))), True


def ways_on(instructions, i):
    """Where a warp goes on from instruction i, but for jumps back: loops are passed once."""
    opcode, always = instructions[i]["opcode"], "predicate" not in instructions[i]
    ways = [] if always and re.match("BRA|BRX|EXIT|RET", opcode) else [i + 1]
    target = re.search(r"0x([0-9a-f]+)$", instructions[i].get("operands", ""))
    if opcode.startswith("BRA") and target:
        ways.append(int(target.group(1), 16) // INSTRUCTION_BYTES)
    return [j for j in ways if i < j < len(instructions)]


def way_through(instructions, loop, part):
    """Indices of the fewest instructions of a loop that lead through its block that computes most: other element types,
    the end of a map, threads without work and the like are left out. `part`: what is in no loop within."""
    blocks = sorted(blocks_of(instructions, part), reverse=True,
                    key=lambda block: warp_flops(executed([instructions[i] for i in block])))
    for block in blocks:
        before = shortest_way(instructions, loop[0], block[0])
        after = shortest_way(instructions, block[0], loop[1])
        if before and after:
            return before[:-1] + after
    return []


def blocks_of(instructions, part):
    """Runs of those indices that are entered at the first and left at the last instruction alone."""
    entered = {j for i in part for j in ways_on(instructions, i) if j != i + 1}
    blocks = []
    for i in part:
        if not blocks or i != blocks[-1][-1] + 1 or i in entered or len(ways_on(instructions, i - 1)) != 1:
            blocks.append([])
        blocks[-1].append(i)
    return blocks


def shortest_way(instructions, first, last):
    """Indices of the fewest instructions that lead from `first` to `last`; empty if none do."""
    lengths, following = {last: 1}, {}
    for i in range(last - 1, first - 1, -1):
        ways = [j for j in ways_on(instructions, i) if j in lengths]
        if ways:
            following[i] = min(ways, key=lengths.get)
            lengths[i] = 1 + lengths[following[i]]
    way = [first]
    while way[-1] in following:
        way.append(following[way[-1]])
    return way if first in lengths else []


def warp_flops(opcodes):
    total = 0
    for opcode, count in opcodes.items():
        total += count * next((flops for pattern, flops in WARP_FLOPS if re.match(pattern, opcode)), 0)
    return total


def least_cycles(opcodes, architecture):
    """The busiest pipe's, or one per instruction."""
    busy = collections.Counter()
    for opcode, count in opcodes.items():
        for pipe, pattern, cycles in PIPES:
            if re.match(pattern, opcode):
                busy[pipe] += count * cycles[LOOP_ARCHITECTURES.index(architecture)]
                break
    return max(sum(opcodes.values()), *busy.values(), 0) if busy else sum(opcodes.values())


def loop_rows(found):
    rows = []
    for architecture in LOOP_ARCHITECTURES:
        for path in found.get(architecture, []):
            functions = json.loads(run(tool("nvdisasm"), "-json", str(path)))[1]
            names = demangled([function["function-name"] for function in functions])
            for function in functions:
                if function["function-name"].startswith("$__internal"):
                    continue  # divisions and the like, called by kernels
                rows.append(loop_row(names[function["function-name"]], architecture, function["sass-instructions"]))
    return sorted(rows)


def executed(instructions):
    """{opcode: count}"""
    return collections.Counter(i["opcode"] for i in instructions
                               if i.get("predicate") not in ("@!PT", "@!UPT") and i["opcode"] != "NOP")


def loop_row(name, architecture, instructions):
    part, way, is_loop = main_part(instructions)
    opcodes = executed(part)
    counts = collections.Counter()
    for opcode, count in opcodes.items():
        counts[class_of(opcode)] += count
    computing = sum(counts[kind] for kind in COMPUTING)
    size = max(sum(opcodes.values()), 1)
    return [name, architecture, len(instructions), "loop" if is_loop else "all", size, f"{100 * computing // size}%",
            warp_flops(executed(way)), least_cycles(executed(way), architecture)] + [counts[kind] for kind, _ in CLASSES]


RESOURCE_COLUMNS = ["kernel", "sm", "threads", "registers", "shared", "dynamic", "stack", "blocks", "occupancy"]
LOOP_COLUMNS = (["kernel", "sm", "instructions", "part", "in_part", "computing", "warp_flops", "least_cycles"] +
                [name for name, _ in CLASSES])


def text_of(comment, columns, rows):
    out = io.StringIO()
    out.write(f"# {comment}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def compiler_of(cubin):
    """Version of ptxas, as its cubins tell it."""
    header = json.loads(run(tool("nvdisasm"), "-json", str(cubin)))[0]
    return re.search(r"V([0-9.]+)", header[".note.nv.tkinfo"]["tki_toolVersion"]).group(1)


def tables(found, compiler):
    resources = text_of(f"ptxas {compiler}. threads, dynamic: of a block in the bench's cases, shared: static bytes; stack:"
                        " bytes, none of them spills; blocks: per multiprocessor, - where no case launches the kernel on such a"
                        " device",
                        RESOURCE_COLUMNS, resource_rows(found))
    loops = text_of(f"ptxas {compiler}. Instructions of the loop that computes most, without loops in it, or of the whole kernel where"
                    " that is unrolled; floating-point operations of a warp, and cycles that it takes at least, on the shortest"
                    " way through the block that computes most",
                    LOOP_COLUMNS, loop_rows(found))
    return resources, loops


def code_of(library, folder):
    """The cubins by capability, and the ptxas that made them."""
    found = cubins(library, folder)
    if not found:
        sys.exit(f"structkd: {library} holds no device code")
    return found, compiler_of(next(iter(found.values()))[0])


def check(library):
    with tempfile.TemporaryDirectory() as folder:
        found, compiler = code_of(library, folder)
        if f"ptxas {compiler}." not in RESOURCES.read_text().splitlines()[0]:
            print(f"structkd: registers and inner loops not compared: ptxas {compiler} built the kernels, the tables in docs/"
                  " are of another one")
            return
        for capability in sorted(set(found) - set(ARCHITECTURES)):
            print(f"structkd: kernels of sm_{capability} not compared: the tables in docs/ do not have it")
            del found[capability]
        failures = []
        for path, built in zip((RESOURCES, LOOPS), tables(found, compiler)):
            committed = [line for line in path.read_text().splitlines()[2:]
                         if int(next(csv.reader([line]))[1]) in found]
            failures += differences(committed, built.splitlines()[2:])
    for failure in failures:
        print(failure)
    if failures:
        sys.exit("structkd: the tables in docs/ do not fit the kernels; tools/cuda-resources.sh update writes them")
    print(f"kernels of sm_{', sm_'.join(map(str, sorted(found)))}: as committed")


def differences(committed, built):
    return ([f"- {line}" for line in committed if line not in set(built)] +
            [f"+ {line}" for line in built if line not in set(committed)])


def update(library):
    with tempfile.TemporaryDirectory() as folder:
        found, compiler = code_of(library, folder)
        if sorted(found) != ARCHITECTURES:
            sys.exit(f"structkd: {library} holds {sorted(found)}, expected all of {ARCHITECTURES}")
        for path, text in zip((RESOURCES, LOOPS), tables(found, compiler)):
            path.write_text(text)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "update"):
        sys.exit(__doc__)
    {"check": check, "update": update}[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve())


if __name__ == "__main__":
    main()
