#!/usr/bin/env python3
"""Writes variants.json: cases of odd shapes and options, from a restatement of the formulas in numpy.

    python3 make_variants.py > variants.json

Nothing here is shared with the library. Every loss is written for complex numbers, so that the exact
derivative by x_i is Im loss(x + 1e-30 i e_i) / 1e-30: no second formula, and no rounding of differences.
"""
import json
import math

import numpy as np

STEP = 1e-30
cases = []


# Pieces that hold for complex arrays: decisions look at the real part.


def log_softmax(z, axis):
    shifted = z - np.max(z.real, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def max_pool(x, kernel):
    """[B, C, H, W], windows side by side, the last ones cut off."""
    (kh, kw), (B, C, H, W) = kernel, x.shape
    out = np.zeros((B, C, -(-H // kh), -(-W // kw)), complex)
    for b, c, i, j in np.ndindex(out.shape):
        window = x[b, c, i * kh : (i + 1) * kh, j * kw : (j + 1) * kw].ravel()
        out[b, c, i, j] = window[np.argmax(window.real)]
    return out


def length(x, axis):
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=True))


# The losses.


def pixelwise(S, T, preset, temperature=1.0):
    B, K, H, W = S.shape
    log_p, log_q = log_softmax(S / temperature, 1), log_softmax(T / temperature, 1)
    kl = np.sum(np.exp(log_q) * (log_q - log_p))
    if preset == "SKD":
        return -np.sum(np.exp(log_q) * log_p) / (H * W)
    if preset == "SKD_PAPER":
        return np.sum(np.exp(log_p) * (log_p - log_q)) / (B * H * W)
    if preset == "KD":
        return temperature**2 * kl / (B * H * W)
    return kl / (B * K * H * W)  # AICSD


def pairwise(S, T, preset, scale=0.5, pool="MAX"):
    H, W = S.shape[2:]
    kernel = {
        "SKD_MASTER": (int(H * scale), int(W * scale)) if pool == "MAX" else (1, 1),
        "SKD_CVPR19": (1, 1),
        "CIRKD": (2, 2),
    }[preset]

    def affinities(x):
        f = max_pool(x, kernel).reshape(x.shape[0], x.shape[1], -1)
        f = f / (length(f.real, 1) + 1e-8 if preset == "SKD_MASTER" else length(f, 1))
        return np.swapaxes(f, 1, 2) @ f

    return np.mean((affinities(S) - affinities(T)) ** 2)


def inter_class_similarity(S, T, mode, temperature=1.0, row_normalize=None):
    B, K, H, W = S.shape
    if row_normalize is None:
        row_normalize = mode in ("CODE_HEAD", "CODE_HW_SYM")

    def matrices(z):
        z = z / temperature
        if mode == "CODE_HEAD":
            log_p = log_softmax(z, 2).reshape(B, K, H * W)
        else:
            log_p = log_softmax(z.reshape(B, K, H * W), 2)
        p = np.exp(log_p)
        M = np.zeros((B, K, K), complex)
        for b, i, j in np.ndindex(M.shape):
            if mode == "PAPER":
                M[b, i, j] = np.sum(p[b, i] * (log_p[b, i] - log_p[b, j]))
            elif mode == "CODE_2023_03" or i <= j:
                M[b, i, j] = np.sum(p[b, j] * (log_p[b, j] - p[b, i]))
            else:
                M[b, i, j] = M[b, j, i]
        if mode != "PAPER":
            M = np.mean(M, axis=0, keepdims=True)
        return M / length(M, 2) if row_normalize else M

    loss = np.mean((matrices(S) - matrices(T)) ** 2)
    return loss / B if mode in ("CODE_HEAD", "CODE_HW_SYM") else loss


def permutation(M):
    coprime = [k for k in range(1, M) if math.gcd(k, M) == 1]
    return [[(coprime[i % len(coprime)] * j + i) % M for j in range(M)] for i in range(M)]


def descriptors(
    X, Y, classes, group_width, temperature=1.0, reduction="SUM", remainder="AVERAGED",
    shuffle="ROW_INDEPENDENT", similarity="SELF", compare="F1",
):
    """X, Y: rows of student and teacher, [M, D]."""
    M = len(X)
    VS, VT = X @ (Y if similarity == "CROSS" else X).T, Y @ Y.T
    if shuffle == "ROW_INDEPENDENT":
        pi = permutation(M)
        VS = np.array([VS[i, pi[i]] for i in range(M)])
        VT = np.array([VT[i, pi[i]] for i in range(M)])

    def kl(vs, vt, axis=None):
        shape = (1, -1) if axis is None else vs.shape
        log_p = log_softmax(vs.reshape(shape) / temperature, 1)
        log_q = log_softmax(vt.reshape(shape) / temperature, 1)
        return temperature**2 * np.sum(np.exp(log_q) * (log_q - log_p))

    def divergence(vs, vt):
        if compare == "F2":
            return kl(vs, vt, axis=1) / M
        return kl(vs, vt) / {"SUM": 1, "DIV_L": vs.size, "DIV_M": M}[reduction]

    w = group_width if group_width >= 0 else -group_width * classes
    if w == 0 or w > M:
        return kl(VS.T, VT.T, axis=1) / (1 if reduction == "SUM" else M)
    G = M // w
    if compare == "F3":

        def relation(V):
            D = np.array([V[:, g * w : (g + 1) * w].ravel() for g in range(G)])
            D = D / length(D, 1)
            return D @ D.T

        return np.mean((relation(VS) - relation(VT)) ** 2)
    groups = [divergence(VS[:, g * w : (g + 1) * w], VT[:, g * w : (g + 1) * w]) for g in range(G)]
    if M % w == 0 or remainder == "DROPPED":
        return sum(groups) / G
    rest = divergence(VS[:, G * w :], VT[:, G * w :])
    return sum(groups) / G + rest if remainder == "ADDED" else (sum(groups) + rest) / (G + 1)


def block(S, T, stage, preset=None, **options):
    if preset:
        options = {"reduction": "DIV_L", "remainder": "ADDED", **options}
    rows = [x.reshape(-1, x.shape[2]) for x in (S, T)]
    return descriptors(*rows, classes=S.shape[0], **options)


def full(S, T, labels, predictions, samples_per_class, **options):
    """The values of all images."""
    values = []
    for x, y, label, said in zip(S, T, labels, predictions):
        x, y = (m.reshape(m.shape[0], -1).T for m in (x, y))
        x, y = x / length(x, 1), y / length(y, 1)
        label, said = label.ravel(), said.ravel()
        right = [i for i in range(label.size) if label[i] == said[i]]
        rows, classes = [], sorted({label[i] for i in right})
        for c in classes:
            own = [i for i in right if label[i] == c][:samples_per_class]
            other = [i for i in right if label[i] != c][: samples_per_class - len(own)]
            rows += own + other
        values.append(descriptors(x[rows], y[rows], classes=len(classes), **options).real)
    return values


# The file.


def formula(shape, seed):
    return dict(shape=list(shape), a=1.0 + seed % 3, b=0.37 + 0.11 * seed, c=0.2 * seed, d=0.1)


def tensor(spec):
    x = spec["a"] * np.sin(spec["b"] * np.arange(np.prod(spec["shape"])) + spec["c"]) + spec["d"]
    return x.reshape(spec["shape"])


def number(x):
    return float(np.real(x))


def add(name, op, options, loss, student_shape, teacher_shape=None, large=False):
    seed = len(cases)
    inputs = {
        "S": formula(student_shape, seed + 1),
        "T": formula(teacher_shape or student_shape, seed + 4),
    }
    S, T = (tensor(inputs[k]).astype(complex) for k in "ST")
    grad = np.zeros(S.size)
    for i in range(S.size):
        moved = S.copy()
        moved.flat[i] += STEP * 1j
        grad[i] = np.imag(loss(moved, T, **options)) / STEP
    stored = {"shape": list(student_shape)}
    if large:
        stored.update(sum=grad.sum(), abs_sum=np.abs(grad).sum(), first=list(grad[:8]))
    else:
        stored["values"] = list(grad)
    case = dict(name=name, op=op, options=options, inputs=inputs)
    case.update(out_f64={"loss": number(loss(S, T, **options))}, grad={"S": stored})
    cases.append(case)


for name, shape, options in [
    ("pixelwise_skd", (3, 7, 5, 4), dict(preset="SKD")),
    ("pixelwise_skd_paper", (2, 3, 2, 9), dict(preset="SKD_PAPER")),
    ("pixelwise_kd_4", (1, 19, 3, 5), dict(preset="KD", temperature=4)),
    ("pixelwise_kd_half", (2, 5, 1, 7), dict(preset="KD", temperature=0.5)),
    ("pixelwise_aicsd", (2, 11, 3, 3), dict(preset="AICSD")),
]:
    add(name, "pixelwise", options, pixelwise, shape)

for name, channels, size, options in [
    ("pairwise_scale_quarter", (5, 8), (9, 11), dict(preset="SKD_MASTER", scale=0.25)),
    ("pairwise_scale_default", (4, 3), (7, 6), dict(preset="SKD_MASTER")),
    ("pairwise_no_pool", (16, 2), (3, 5), dict(preset="SKD_MASTER", pool="NONE")),
    ("pairwise_cvpr19", (3, 10), (4, 6), dict(preset="SKD_CVPR19")),
    ("pairwise_cirkd", (4, 4), (7, 9), dict(preset="CIRKD")),
]:
    shapes = [(2, c, *size) for c in channels]
    add(name, "pairwise", options, pairwise, *shapes, large=name.endswith("cirkd"))

for name, shape, options in [
    ("icsd_paper_3", (2, 3, 4, 5), dict(mode="PAPER")),
    ("icsd_paper_warm", (1, 6, 5, 3), dict(mode="PAPER", temperature=2.5)),
    ("icsd_paper_rows", (2, 5, 3, 4), dict(mode="PAPER", row_normalize=True)),
    ("icsd_head", (3, 7, 3, 2), dict(mode="CODE_HEAD")),
    ("icsd_2023_03", (2, 4, 5, 3), dict(mode="CODE_2023_03")),
    ("icsd_hw_sym", (2, 6, 3, 3), dict(mode="CODE_HW_SYM")),
]:
    add(name, "inter_class_similarity", options, inter_class_similarity, shape)

for name, shape, options in [
    ("block_default_width", (4, 5, 6), dict(group_width=-1)),
    ("block_two_per_class", (3, 7, 5), dict(group_width=-2, temperature=0.5)),
    ("block_remainder_averaged", (4, 5, 3), dict(group_width=7)),
    ("block_remainder_added", (4, 5, 3), dict(group_width=7, remainder="ADDED", reduction="DIV_M")),
    ("block_remainder_dropped", (4, 5, 3), dict(group_width=7, remainder="DROPPED")),
    ("block_no_group", (2, 5, 4), dict(group_width=11, reduction="DIV_L", temperature=2)),
    ("block_no_group_sum", (2, 5, 4), dict(group_width=0)),
    ("block_released", (5, 3, 4), dict(preset="AUTHORS_RELEASED", group_width=4)),
    ("block_in_order", (3, 4, 5), dict(group_width=5, shuffle="NONE")),
    ("block_cross", (3, 4, 5), dict(group_width=-1, similarity="CROSS")),
    ("block_rows", (3, 4, 5), dict(group_width=5, compare="F2", temperature=3)),
    ("block_relation", (3, 5, 4), dict(group_width=4, compare="F3")),
]:
    options = dict(stage="block", **options)
    if options.get("shuffle") != "NONE":
        options["permutation"] = "FORMULA"
    add(name, "global_structural", options, lambda S, T, permutation=None, **o: block(S, T, **o), shape)

for name, samples, group_width, temperature in [("full_3", 3, -1, 1.0), ("full_5", 5, 4, 2.0)]:
    inputs = {"S": formula((3, 4, 5, 6), 2), "T": formula((3, 4, 5, 6), 7)}
    pixel = np.arange(90)
    labels = ((pixel // 7 + pixel // 30) % 4).reshape(3, 5, 6)
    labels[0][labels[0] == 2] = 0  # a class that an image does not have
    labels[1].flat[11:] = 1  # and small ones, to be filled up
    said = np.where(pixel % 5 == 0, (labels.ravel() + 1) % 4, labels.ravel()).reshape(3, 5, 6)
    options = dict(group_width=group_width, temperature=temperature, reduction="DIV_M")
    S, T = tensor(inputs["S"]), tensor(inputs["T"])
    cases.append(
        dict(
            name="global_structural_" + name,
            op="global_structural",
            options=dict(
                stage="full", samples_per_class=samples, permutation="FORMULA",
                projector="IDENTITY", **options,
            ),
            inputs=inputs,
            params=dict(labels_small=labels.tolist(), t_predict_bad=said.tolist()),
            out_f64=dict(
                per_image_all_correct=full(S, T, labels, labels, samples, **options),
                per_image_masked=full(S, T, labels, said, samples, **options),
            ),
        )
    )

cases.append(
    dict(
        name="adaptive_weights",
        op="adaptive_loss_weighting",
        options=dict(total_epochs=50),
        out_f64={"alpha@0": 0.0, "alpha@7": 0.14, "alpha@50": 1.0, "alpha@80": 1.0},
    )
)

print('{"source": "make_variants.py", "cases": [')
print(",\n".join(json.dumps(case) for case in cases))
print("]}")
