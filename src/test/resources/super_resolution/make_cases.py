#!/usr/bin/env python3
"""Makes cases.json: qualities of pictures by scikit-image, bicubic sizes by matrices of numpy.

    pip install scikit-image==0.26.0 pillow
    python3 make_cases.py > cases.json
"""
import json
import math

import numpy as np
from PIL import Image
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def picture(channels, height, width, noise, seed):
    """A smooth picture of whole levels, and the same with noise: [C, H, W] each."""
    draw = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [
        127 + 110 * np.sin(0.5 * rows + 0.3 * c) * np.cos(0.4 * columns - c) for c in range(channels)
    ]
    truth = np.rint(np.stack(planes)).astype(int)
    answer = np.clip(np.rint(truth + noise * draw.standard_normal(truth.shape)), 0, 255).astype(int)
    return truth, answer


def luma(planes):
    if len(planes) == 1:
        return planes[0].astype(float)
    return rgb2ycbcr(np.moveaxis(planes, 0, -1) / 255.0)[..., 0]


def quality(channels, height, width, noise, border, seed):
    truth, answer = picture(channels, height, width, noise, seed)
    x, y = (luma(p)[border : height - border, border : width - border] for p in (answer, truth))
    return {
        "channels": channels,
        "height": height,
        "width": width,
        "border": border,
        "truth": truth.ravel().tolist(),
        "answer": answer.ravel().tolist(),
        "psnr": float(peak_signal_noise_ratio(y, x, data_range=255)),
        "ssim": float(
            structural_similarity(
                y, x, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
            )
        ),
    }


def keys(t):
    t = abs(t)
    if t <= 1:
        return 1.5 * t**3 - 2.5 * t**2 + 1
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t <= 2 else 0


def matrix(size, new_size):
    """imresize as MATLAB documents it: positions from 1, symmetric padding, antialiasing."""
    scale = new_size / size
    sharp = min(scale, 1)
    reach = math.ceil(4 / sharp) + 2
    folded = list(range(size)) + list(range(size))[::-1]
    rows = np.zeros((new_size, size))
    for i in range(1, new_size + 1):
        u = i / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - 2 / sharp)
        for j in range(left, left + reach):
            rows[i - 1, folded[(j - 1) % (2 * size)]] += sharp * keys(sharp * (u - j))
    return rows / rows.sum(axis=1, keepdims=True)


def resized(height, width, new_height, new_width):
    truth = picture(1, height, width, 0, 0)[0][0]
    result = matrix(height, new_height) @ truth @ matrix(width, new_width).T
    # Pillow has the same cubic and leaves out what lies beyond the edge: within, both agree.
    image = Image.fromarray(truth.astype(np.float32), mode="F")
    pillow = np.asarray(image.resize((new_width, new_height), Image.Resampling.BICUBIC))
    edge = 2 * max(1, new_height // height)
    inner = (slice(edge, -edge), slice(edge, -edge))
    assert result[inner].size and np.allclose(result[inner], pillow[inner], atol=2e-2)
    return {
        "height": height,
        "width": width,
        "newHeight": new_height,
        "newWidth": new_width,
        "levels": truth.ravel().tolist(),
        "resized": result.ravel().tolist(),
    }


print(
    json.dumps(
        {
            "quality": [
                quality(1, 15, 17, 12, 2, 1),
                quality(3, 20, 19, 25, 4, 2),
                quality(3, 12, 16, 5, 0, 3),
            ],
            "bicubic": [
                resized(24, 20, 12, 10),
                resized(40, 36, 10, 9),
                resized(10, 9, 20, 18),
                resized(8, 9, 32, 36),
                resized(21, 20, 14, 13),
            ],
        }
    )
)
