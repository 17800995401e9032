"""What the operators owe on a device: eager f64's value and gradient, and the manners of a CUDA kernel."""

from functools import partial

import torch

import goldens
import losses
import maps
import operators as our

ROUNDING = {
    torch.float64: 2.0**-53,
    torch.float32: 2.0**-24,
    torch.bfloat16: 2.0**-9,
    torch.float16: 2.0**-12,
}
# A gradient of a mean over pixels lies below the range of f16; training multiplies the loss.
LOSS_SCALE = {torch.float16: 1024.0}


def run(device, chosen=None):
    """Runs the checks of all losses or some; returns the sentences of those that failed."""
    failures, passed = [], 0
    suites = [goldens.check, variants, own_checks]
    if torch.device(device).type == "cuda":
        suites += [manners]
    for suite in suites:
        for loss, name, check in suite(device):
            if chosen and loss not in chosen:
                continue
            try:
                error = check()
            except Exception as raised:  # one failure of many: the others are wanted, too
                error = str(raised).splitlines()[0]
            passed += error is None
            if error is not None:
                failures.append(f"{suite.__name__} {loss} {name}: {error}")
                print("FAIL ", failures[-1], flush=True)
                if "CUDA error" in error:
                    print("the device is lost to this process: no further checks", flush=True)
                    return failures
    print(f"checks: {passed} passed, {len(failures)} failed", flush=True)
    return failures


def value_and_gradient(loss, student, teacher, scale=1.0):
    student = student.detach().requires_grad_()
    value = loss(student, teacher)
    (value * scale).backward()
    return value.detach().double(), student.grad.double() / scale


def relative(actual, expected):
    return ((actual - expected).norm() / expected.norm().clamp_min(1e-300)).item()


def errors(loss, eager, student, teacher):
    """Relative errors of value and gradient against eager f64 of the same numbers."""
    truth = value_and_gradient(eager, student.double(), teacher.double())
    scale = LOSS_SCALE.get(student.dtype, 1.0)
    result = value_and_gradient(loss, student, teacher, scale)
    return [relative(a, b) for a, b in zip(result, truth)]


def variants(device):
    """Every op with its options, all dtypes, odd sizes, sliced and channels-last maps."""
    for loss_name, module in losses.ALL.items():
        for variant, shape, loss, eager in module.variants(device):
            for dtype in ROUNDING:
                for layout in ("plain", "channels_last", "sliced"):
                    name = f"{variant} {dtype} {layout}".strip()
                    yield loss_name, name, partial(variant_error, loss, eager, shape, device, dtype, layout)


def variant_error(loss, eager, shape, device, dtype, layout):
    student, teacher = (laid_out(x, layout) for x in maps.random(shape, device, dtype))
    found = errors(loss, eager, student, teacher)
    # Half-precision gradients are rounded once, at the end; f32 sums are those of eager.
    limit = max(64 * ROUNDING[torch.float32] if dtype != torch.float64 else 1e-11, 4 * ROUNDING[dtype])
    if all(e <= limit for e in found):
        return None
    return f"value error {found[0]:.2g}, gradient error {found[1]:.2g}, limit {limit:.2g} ({our.last_plan()})"


def laid_out(x, layout):
    if layout == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if layout == "sliced":
        wide = torch.zeros(
            x.shape[0], x.shape[1], x.shape[2] + 1, x.shape[3] + 3, device=x.device, dtype=x.dtype
        )
        part = wide[:, :, 1:, 2:-1]
        part.copy_(x)
        return part
    return x


def own_checks(device):
    for name, module in losses.ALL.items():
        for text, check in getattr(module, "checks", lambda _: [])(device):
            yield name, text, check


def manners(device):
    """No synchronisation, the current stream, equal bits in every run, capture in a graph."""
    for name, module in losses.ALL.items():
        loss = getattr(module, "manners", module.ours)
        student, teacher = maps.random(module.MANNERS_SHAPE, device, torch.float32)
        for text, manner in (
            ("repeated", repeated),
            ("without waiting", waits),
            ("on another stream", on_side_stream),
            ("captured", captured),
        ):
            yield name, text, partial(manner, loss, student, teacher)


def same_bits(expected, actual):
    return None if all(torch.equal(a, b) for a, b in zip(expected, actual)) else "other bits"


def repeated(loss, student, teacher):
    return same_bits(*(value_and_gradient(loss, student, teacher) for _ in range(2)))


def waits(loss, student, teacher):
    """A stream that is busy for a while must still be busy when the call returns."""
    expected = value_and_gradient(loss, student, teacher)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.cuda._sleep(1_000_000_000)  # cycles, about half a second
        result = value_and_gradient(loss, student, teacher)
        busy = not torch.cuda.current_stream().query()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return same_bits(expected, result) if busy else "the call waited for the device"


def on_side_stream(loss, student, teacher):
    """Inputs that are made on the stream, after a delay, and freed as soon as the call returns."""
    expected = value_and_gradient(loss, student, teacher)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)
        result = value_and_gradient(loss, student.clone(), teacher.clone())
        torch.full_like(student, float("nan"))  # takes the memory that was freed
    stream.synchronize()
    return same_bits(expected, result)


def captured(loss, student, teacher):
    expected = value_and_gradient(loss, student, teacher)
    student = student.detach().clone().requires_grad_()
    graph = torch.cuda.CUDAGraph()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # warm-up off the main stream, as PyTorch asks for
        loss(student, teacher).backward()
    torch.cuda.current_stream().wait_stream(side)
    student.grad = None
    with torch.cuda.graph(graph):
        value = loss(student, teacher)
        value.backward()
    graph.replay()
    return same_bits(expected, (value.detach().double(), student.grad.double()))
