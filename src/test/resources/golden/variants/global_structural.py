"""The global structural loss, restated."""
import math

import numpy as np

from pieces import array, case, formula, length, log_softmax


def permutation_table(M):
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
        pi = permutation_table(M)
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


def block(S, T, stage, preset=None, permutation=None, **options):
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


def cases():
    for seed, (name, shape, options) in enumerate([
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
    ]):
        options = dict(stage="block", **options)
        if options.get("shuffle") != "NONE":
            options["permutation"] = "FORMULA"
        inputs = {"S": formula(shape, seed + 17), "T": formula(shape, seed + 20)}
        yield case(name, block, inputs, options)
    for name, samples, group_width, temperature in [("full_3", 3, -1, 1.0), ("full_5", 5, 4, 2.0)]:
        inputs = {"S": formula((3, 4, 5, 6), 2), "T": formula((3, 4, 5, 6), 7)}
        pixel = np.arange(90)
        labels = ((pixel // 7 + pixel // 30) % 4).reshape(3, 5, 6)
        labels[0][labels[0] == 2] = 0  # a class that an image does not have
        labels[1].flat[11:] = 1  # and small ones, to be filled up
        said = np.where(pixel % 5 == 0, (labels.ravel() + 1) % 4, labels.ravel()).reshape(3, 5, 6)
        options = dict(group_width=group_width, temperature=temperature, reduction="DIV_M")
        S, T = array(inputs["S"]), array(inputs["T"])
        yield dict(
            name="global_structural_" + name,
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
