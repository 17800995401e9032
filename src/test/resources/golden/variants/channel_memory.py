"""The channel memory of CIRKDV2, restated, where every channel is enqueued and every place is a sample."""
import numpy as np

from pieces import case, formula, log_softmax, normalize, parameters
from projector import PROJECTOR_CONSTANTS, projected, projector_shapes


def averaged(x):
    B, C, H, W = x.shape
    return x.reshape(B, C, H // 4, 4, W // 4, 4).mean(axis=(3, 5))


def rows(x):
    return normalize(x.reshape(x.shape[0] * x.shape[1], -1), 1)


def channel_memory(S, T, p, temperature, **sizes):
    s, t = rows(projected(averaged(S), p)), rows(averaged(T))
    queue = p["channels"][0].copy()
    queue[: len(t)] = t
    log_p = log_softmax(s @ queue.T / temperature, 1)
    log_q = log_softmax(t @ queue.T / temperature, 1)
    return np.sum(np.exp(log_q) * (log_q - log_p)) / len(t)


def cases():
    for seed, (student, teacher, temperature) in enumerate([
        ((2, 3, 8, 4), (2, 4, 8, 4), 0.1),
        ((1, 2, 8, 12), (1, 5, 8, 12), 0.6),
        ((3, 4, 4, 8), (3, 2, 4, 8), 2.0),
    ]):
        all_channels = teacher[0] * teacher[1]
        length = all_channels + 3
        shapes = projector_shapes(student[1], teacher[1])
        shapes |= {"channels": (1, length, student[2] * student[3] // 16)}
        p, params = parameters(shapes, amplitude=0.8, constants=PROJECTOR_CONSTANTS)
        options = dict(channels=length, channels_per_step=all_channels, samples=length, temperature=temperature)
        inputs = {"S": formula(student, seed + 2), "T": formula(teacher, seed + 5)}

        def loss(S, T, **o):
            return channel_memory(S, T, p, **o)

        yield case(f"channel_memory_{seed}", loss, inputs, options, params=params)
