"""The intra-class variation loss, restated: one class of one image at a time."""
import numpy as np

from pieces import case, formula


def intra_class_variation(S, T, L, num_classes, ignore_index=None):
    B, _, H, W = S.shape
    total, count = 0.0, 0
    for b in range(B):
        labels = nearest(L[b], H, W).reshape(-1)
        kept = np.ones(H * W, bool) if ignore_index is None else (labels != ignore_index) & (labels != -1)
        count += kept.sum()
        for k in range(num_classes):
            members = kept & (labels == k)
            if members.any():
                gap = similarities(S[b], members) - similarities(T[b], members)
                total += np.sum(gap * gap)
    return total / max(count, 1)


def similarities(features, members):
    rows = features.reshape(features.shape[0], -1)[:, members]
    centre = rows.sum(1) / (members.sum() + 1e-6)
    lengths = np.sqrt((rows * rows).sum(0)) * np.sqrt((centre * centre).sum())
    return centre @ rows / lengths


def nearest(labels, H, W):
    rows = np.arange(H) * labels.shape[0] // H
    columns = np.arange(W) * labels.shape[1] // W
    return labels[rows][:, columns]


def labels(B, H, W, classes):
    """Stripes of all classes and of one that is none, with 255 on a seventh of the positions."""
    b, h, w = np.indices((B, H, W))
    return np.where((3 * h + 5 * w + b) % 7 == 0, 255, (h // 2 + w // 3 + b) % (classes + 1)).tolist()


def cases():
    for seed, (name, student, teacher, size, options) in enumerate([
        ("intra_class_variation_5_classes", (2, 4, 5, 7), (2, 4, 5, 7), (5, 7), dict(num_classes=5)),
        ("intra_class_variation_channels", (3, 3, 4, 3), (3, 7, 4, 3), (4, 3), dict(num_classes=2)),
        ("intra_class_variation_large_labels", (1, 2, 6, 5), (1, 5, 6, 5), (13, 11), dict(num_classes=4)),
        ("intra_class_variation_small_labels", (2, 5, 7, 9), (2, 3, 7, 9), (3, 4), dict(num_classes=3)),
        ("intra_class_variation_ignored", (2, 4, 6, 6), (2, 4, 6, 6), (6, 6), dict(num_classes=3, ignore_index=255)),
        ("intra_class_variation_class_ignored", (2, 3, 5, 5), (2, 6, 5, 5), (9, 10),
         dict(num_classes=4, ignore_index=1)),
    ]):
        L = labels(student[0], *size, options["num_classes"])
        inputs = {"S": formula(student, seed + 1), "T": formula(teacher, seed + 4), "L": L}
        yield case(name, intra_class_variation, inputs, options)
