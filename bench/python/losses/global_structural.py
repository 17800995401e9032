"""Global structural loss: the divergences of groups of the similarities of sampled pixels."""

import functools
import math

import torch
import torch.nn.functional as F

import maps
from operators import number, on_cpu_backend, ops

GROUPS = 8  # of the similarity map
MANNERS_SHAPE = (2, 32, 8, 19)

COMPARISON = {"F1": "group_divergence", "F2": "row_divergence", "F3": "descriptor_relation"}

def sample(
    teacher, labels=None, logits=None, sampling="all", samples=1, classes=1, seed=7, step=1, correct=False
):
    """I32 [B, 2 + M]: samples and classes of each image, then its pixels."""
    return ops.global_structural_sample(
        teacher,
        logits,
        labels,
        sampling,
        "other_classes",
        "random",
        correct,
        samples,
        1,
        classes,
        255,
        seed,
        number(teacher, step),
    )


def ours(
    student,
    teacher,
    table=None,
    permutation=None,
    comparison="group_divergence",
    width=None,
    shuffle="row_independent",
    reduction="sum",
    remainder="averaged",
    similarity="self",
    temperature=1.0,
    normalize=True,
    classes=1,
    seed=7,
    step=1,
):
    """At the pixels of a table of sample(), or at all."""
    nodes = student[0, 0].numel() if table is None else table.shape[1] - 2
    indices, counts = (None, None) if table is None else (table[:, 2:], table[:, :2])
    step = step if torch.is_tensor(step) else number(student, step)
    return ops.global_structural(
        student,
        teacher,
        indices,
        counts,
        permutation,
        comparison,
        normalize,
        similarity,
        shuffle,
        reduction,
        remainder,
        "mean",
        nodes // 8 if width is None else width,
        temperature,
        1e-8,
        classes,
        seed,
        step,
    )


def manners(student, teacher):
    """What is called to see the manners of a kernel: samples are drawn, too."""
    return ours(student, teacher, sample(teacher))


def eager(student, teacher, permutation=None):
    """KL between the entries of shuffled column groups of the cosine similarity maps of all nodes."""

    def similarities(features):
        unit = maps.unit_rows(features, 1e-8)
        return torch.bmm(unit.transpose(1, 2), unit)

    ours, theirs = similarities(student), similarities(teacher)
    if permutation is None:
        permutation = torch.rand(ours.shape, device=ours.device).argsort(2)

    def groups(v):
        b, m, _ = v.shape
        return v.gather(2, permutation).view(b, m, GROUPS, -1).transpose(1, 2).flatten(2)

    divergence = F.kl_div(F.log_softmax(groups(ours), 2), F.softmax(groups(theirs), 2), reduction="sum")
    return divergence / (GROUPS * student.shape[0])


def authors(student, teacher):
    """GSKD's way: one image after another, a permutation drawn for each row, groups in a loop."""
    total = 0
    for s, t in zip(student, teacher):
        s, t = (F.normalize(x.flatten(1).t(), dim=1, eps=1e-8) for x in (s, t))
        ours, theirs = s @ s.t(), t @ t.t()
        rows = [torch.randperm(ours.shape[0], device=ours.device) for _ in range(ours.shape[0])]
        order = torch.stack(rows)
        ours, theirs = ours.gather(1, order), theirs.gather(1, order)
        width = ours.shape[0] // GROUPS
        for g in range(GROUPS):
            part = slice(g * width, (g + 1) * width)
            log_q = F.log_softmax(ours[:, part].flatten(), 0)
            total = total + F.kl_div(log_q, F.softmax(theirs[:, part].flatten(), 0), reduction="sum")
    return total / (GROUPS * student.shape[0])


def without_draw(way, sizes, device, index):
    """A way to compute the loss with a given permutation where it would draw one: only so it can be compared."""
    b, _, h, w = sizes
    order = torch.rand(b, h * w, h * w, generator=torch.Generator().manual_seed(3)).argsort(2)
    return functools.partial(way, permutation=order.to(device, index))


def golden(student, teacher, options):
    """Stage block: rows [classes, samples, channels], as they are."""
    if options.get("stage") == "full":
        return None  # the operator has no pooling
    classes = student.shape[0]
    student, teacher = (x.flatten(0, 1).t()[None, :, None] for x in (student, teacher))
    released = options.get("preset") == "AUTHORS_RELEASED"
    reduction = options.get("reduction", "DIV_L" if released else "SUM")
    remainder = options.get("remainder", "ADDED" if released else "AVERAGED")
    nodes = student.shape[3]
    permutation = formula_permutation(nodes).to(student.device)
    return ours(
        student,
        teacher,
        permutation=permutation,
        comparison=COMPARISON[options.get("compare", "F1")],
        width=options["group_width"],
        temperature=options.get("temperature", 1.0),
        normalize=False,
        classes=classes,
        similarity=options.get("similarity", "SELF").lower(),
        shuffle=options.get("shuffle", "ROW_INDEPENDENT").lower(),
        reduction=reduction.lower(),
        remainder=remainder.lower(),
    )


def formula_permutation(nodes):
    """Row i has (c j + i) mod M at place j, c running through the numbers coprime to M."""
    coprime = [k for k in range(1, nodes) if math.gcd(k, nodes) == 1] or [1]
    c = torch.tensor([coprime[i % len(coprime)] for i in range(nodes)])
    i = torch.arange(nodes)
    return ((c[:, None] * i[None, :] + i[:, None]) % nodes).int()


def variants(device):
    order = torch.rand(2, 48, 48, generator=torch.Generator().manual_seed(3)).argsort(2).to(device)
    yield "", (2, 21, 6, 8), lambda s, t: ours(s, t, permutation=order.int()), lambda s, t: eager(s, t, order)


def checks(device):
    """Samples are drawn on the device as on the CPU, bit for bit, and again at each replay of a graph."""
    for sampling, name in (
        ("class_balanced", "class-balanced"),
        ("random_grid", "grid"),
        ("random", "random"),
    ):
        for correct in (False, True):
            text = f"samples {name}{' correct' if correct else ''}"
            yield text, functools.partial(samples_error, device, sampling, correct)
    if torch.device(device).type == "cuda":
        yield "redraws at each replay", functools.partial(redraws, device)


def samples_error(device, sampling, correct):
    labels = torch.randint(0, 7, (3, 20, 30), generator=torch.Generator().manual_seed(5))
    logits, _ = maps.random((3, 7, 20, 30), "cpu", torch.float32)

    def draw(where):
        scores = logits.to(where)
        return sample(
            scores, labels.to(where), scores if correct else None, sampling, 8, 7, correct=correct, step=11
        ).cpu()

    drawn, expected = draw(device), on_cpu_backend(lambda: draw("cpu"))
    same = torch.equal(drawn[:, :2], expected[:, :2]) and all(
        torch.equal(a[: 2 + a[0]], b[: 2 + a[0]]) for a, b in zip(expected, drawn)
    )
    return None if same else "differ from those of the CPU"


def redraws(device):
    """The step is read when a graph runs, not when it is captured."""
    teacher = maps.random((1, 8, 16, 16), device, torch.float32)[1]
    step = torch.zeros((), dtype=torch.int64, device=device)

    def draw():
        return ops.global_structural_sample(
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
