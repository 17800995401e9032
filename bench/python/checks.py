"""What the operators owe on a device: eager f64's value and gradient, and the manners of a CUDA kernel."""

from functools import partial

import torch

import formulas
import goldens
import operators as our

ROUNDING = {
    torch.float64: 2.0**-53,
    torch.float32: 2.0**-24,
    torch.bfloat16: 2.0**-9,
    torch.float16: 2.0**-12,
}
# A gradient of a mean over pixels lies below the range of f16; training multiplies the loss.
LOSS_SCALE = {torch.float16: 1024.0}


def run(device, losses=None):
    """Runs the checks of all losses or some; returns the sentences of those that failed."""
    failures, passed = [], 0
    suites = [goldens.check, variants, samples]
    if torch.device(device).type == "cuda":
        suites += [manners]
    for suite in suites:
        for loss, name, check in suite(device):
            if losses and loss not in losses:
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


def maps(shape, device, dtype, kind="random"):
    generator = torch.Generator().manual_seed(42)
    student = torch.randn(shape, generator=generator, dtype=torch.float64)
    teacher = torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "close":
        teacher = student + 0.01 * teacher
    return student.to(device, dtype), teacher.to(device, dtype)


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
    for (loss_name, variant), shape, loss, eager in variant_cases(device):
        for dtype in ROUNDING:
            for layout in ("plain", "channels_last", "sliced"):
                name = f"{variant} {dtype} {layout}".strip()
                yield loss_name, name, partial(variant_error, loss, eager, shape, device, dtype, layout)


def variant_error(loss, eager, shape, device, dtype, layout):
    student, teacher = (laid_out(x, layout) for x in maps(shape, device, dtype))
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


def variant_cases(device):
    mask = torch.arange(2 * 9 * 13, device=device).view(2, 9, 13) % 3 != 0
    shape = (2, 19, 9, 13)

    def masked_pixelwise(s, t):
        logs, share = torch.log_softmax(s, 1), torch.softmax(t, 1)
        pixels = (share * (share.log() - logs)).sum(1)
        return pixels[mask].mean()

    yield ("pixelwise", ""), shape, our.pixelwise, formulas.pixelwise
    yield ("pixelwise", "mask"), shape, lambda s, t: our.pixelwise(s, t, mask), masked_pixelwise
    yield ("pixelwise", "authors"), shape, lambda s, t: our.pixelwise(
        s, t, None, "cross_entropy", "pixels_per_image"
    ), formulas.pixelwise_authors
    yield ("pairwise", ""), shape, our.pairwise, formulas.pairwise
    yield ("pairwise", "C > N/2"), (1, 70, 3, 7), our.pairwise, formulas.pairwise
    yield ("pairwise", "authors"), shape, lambda s, t: our.pairwise(
        s, t, None, "detached", "add", 1e-8
    ), formulas.pairwise_authors
    yield ("pairwise", "whole batch"), shape, lambda s, t: our.pairwise(
        s, t, whole=True
    ), lambda s, t: formulas.pairwise(*(x.transpose(0, 1).flatten(1)[None, :, :, None] for x in (s, t)))
    yield ("inter_class_similarity", ""), shape, our.inter_class_similarity, formulas.inter_class_similarity
    yield ("inter_class_similarity", "K=40"), (
        1,
        40,
        9,
        13,
    ), our.inter_class_similarity, formulas.inter_class_similarity
    order = torch.rand(2, 48, 48, generator=torch.Generator().manual_seed(3)).argsort(2).to(device)
    yield ("global_structural", ""), (2, 21, 6, 8), lambda s, t: our.global_structural(
        s, t, permutation=order.int()
    ), lambda s, t: formulas.global_structural(s, t, order)


def samples(device):
    """Drawn on the device as on the CPU, bit for bit."""
    for sampling, name in (
        ("class_balanced", "class-balanced"),
        ("random_grid", "grid"),
        ("random", "random"),
    ):
        for correct in (False, True):
            text = f"{name}{' correct' if correct else ''}"
            yield "global_structural", text, partial(samples_error, device, sampling, correct)


def samples_error(device, sampling, correct):
    labels = torch.randint(0, 7, (3, 20, 30), generator=torch.Generator().manual_seed(5))
    logits, _ = maps((3, 7, 20, 30), "cpu", torch.float32)

    def draw(where):
        scores = logits.to(where)
        return our.sample(
            scores, labels.to(where), scores if correct else None, sampling, 8, 7, correct=correct, step=11
        ).cpu()

    drawn, expected = draw(device), on_cpu_backend(lambda: draw("cpu"))
    same = torch.equal(drawn[:, :2], expected[:, :2]) and all(
        torch.equal(a[: 2 + a[0]], b[: 2 + a[0]]) for a, b in zip(expected, drawn)
    )
    return None if same else "differ from those of the CPU"


def on_cpu_backend(call):
    before = our.ops.use_backend("cpu")
    try:
        return call()
    finally:
        our.ops.use_backend(before)


def manners(device):
    """No synchronisation, the current stream, equal bits in every run, capture in a graph."""
    losses = {
        "pixelwise": ((2, 19, 33, 65), our.pixelwise),
        "pairwise": ((2, 32, 32, 32), our.pairwise),
        "inter_class_similarity": ((2, 19, 33, 65), our.inter_class_similarity),
        "global_structural": ((2, 32, 8, 19), lambda s, t: our.global_structural(s, t, our.sample(t))),
    }
    for name, (shape, loss) in losses.items():
        student, teacher = maps(shape, device, torch.float32)
        for text, manner in (
            ("repeated", repeated),
            ("without waiting", waits),
            ("on another stream", on_side_stream),
            ("captured", captured),
        ):
            yield name, text, partial(manner, loss, student, teacher)
    yield "global_structural", "redraws at each replay", partial(redraws, device)


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


def redraws(device):
    """The step is read when a graph runs, not when it is captured."""
    teacher = maps((1, 8, 16, 16), device, torch.float32)[1]
    step = torch.zeros((), dtype=torch.int64, device=device)

    def draw():
        return our.ops.global_structural_sample(
            teacher, None, None, "random", "other_classes", "random", False, 16, 1, 1, 255, 7, step
        )

    draw()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        table = draw()
    seen = []
    for number in (1, 2, 1):
        step.fill_(number)
        graph.replay()
        seen.append(table.clone())
    if torch.equal(seen[0], seen[1]):
        return "steps 1 and 2 draw the same samples"
    return None if torch.equal(seen[0], seen[2]) else "step 1 draws other samples the second time"
