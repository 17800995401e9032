"""The memory of pixels and regions of CIRKD, restated, where every place of the memory is a sample."""
import numpy as np

from pieces import case, formula, log_softmax, normalize, parameters
from projector import PROJECTOR_CONSTANTS, projected, projector_shapes


def unit_rows(x):
    """[B, C, H, W] as [B, H W, C], each of length 1."""
    return normalize(np.moveaxis(x.reshape(*x.shape[:2], -1), 1, 2), 2)


def class_memory(
    S, T, L, p, classes, temperature, kd_temperature, pixel_weight, region_weight, ignore_index=-1, **sizes
):
    s, t = unit_rows(projected(S, p)), unit_rows(T)
    labels = L.reshape(len(L), -1)
    pixels, regions = p["pixels"].copy(), p["regions"].copy()
    next_pixel, next_region = [0] * classes, [0] * classes
    for image in range(len(L)):
        for k in range(classes):
            own = t[image, labels[image] == k]
            if len(own):
                regions[k, next_region[k]] = normalize(own.mean(axis=0), 0)
                next_region[k] += 1
            for pixel in own:
                pixels[k, next_pixel[k]] = pixel
                next_pixel[k] += 1
    labelled = (labels >= 0) & (labels != ignore_index)
    loss = 0
    for samples, weight in ((pixels, pixel_weight), (regions, region_weight)):
        samples = samples.reshape(-1, samples.shape[2])
        scale = temperature * kd_temperature
        log_p = log_softmax(s[labelled] @ samples.T / scale, 1)
        log_q = log_softmax(t[labelled] @ samples.T / scale, 1)
        kl = np.sum(np.exp(log_q) * (log_q - log_p))
        loss += weight * kd_temperature**2 * kl / max(1, labelled.sum())
    return loss


def cases():
    for seed, (student, teacher, labels, extra) in enumerate([
        ((2, 3, 2, 3), (2, 4, 2, 3), [[[0, 0, 1], [2, 1, 0]], [[2, 2, 2], [2, 1, 2]]], {}),
        ((2, 5, 3, 2), (2, 2, 3, 2), [[[0, 9], [1, 9], [9, 2]], [[9, 9], [9, 9], [9, 9]]], dict(ignore_index=9)),
        ((3, 2, 1, 4), (3, 3, 1, 4), [[[0, -1, 1, 1]], [[2, 2, 0, 1]], [[2, 1, 0, 0]]],
         dict(temperature=0.7, kd_temperature=2.5, pixel_weight=0.5)),
        ((2, 2, 2, 2), (2, 3, 2, 2), [[[0, 1], [2, 2]], [[1, 1], [1, 0]]], dict(kd_temperature=8.0, region_weight=0.0)),
    ]):
        positions = student[2] * student[3]
        pixels, regions = student[0] * positions + 1, student[0] + 1
        options = dict(
            classes=3, pixels=pixels, regions=regions, pixels_per_image=positions,
            pixel_samples=3 * (pixels - 1), region_samples=3 * (regions - 1),
            temperature=0.1, kd_temperature=1.0, pixel_weight=1.0, region_weight=1.0,
        ) | extra
        shapes = projector_shapes(student[1], teacher[1])
        shapes |= {"pixels": (3, pixels, teacher[1]), "regions": (3, regions, teacher[1])}
        p, params = parameters(shapes, amplitude=0.8, constants=PROJECTOR_CONSTANTS)
        inputs = {"S": formula(student, seed + 2), "T": formula(teacher, seed + 5), "L": labels}

        def loss(S, T, L, **o):
            return class_memory(S, T, L, p, **o)

        yield case(f"class_memory_{seed}", loss, inputs, options, params=params)
