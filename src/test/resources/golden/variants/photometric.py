"""Photometric reprojection, restated: pixel by pixel."""
import numpy as np

from pieces import case, formula, normal

CAMERA = [[5.5, 0.2, 3.1], [0.0, 6.5, 2.4], [0.0, 0.0, 1.0]]


def pose(seed):
    """A small turn and a step."""
    a, b = 0.03 * np.sin(seed), 0.02 * np.cos(seed)
    turn = np.array([[1, 0, b], [0, 1, -a], [-b, a, 1]])
    step = np.array([0.02 * np.cos(2.0 * seed), 0.005 * np.sin(seed), 0.002 * seed])
    return np.vstack([np.column_stack([turn, step]), [0, 0, 0, 1]])


def resized(x, H, W):
    """Bilinear, corners not aligned, of [h, w]."""
    h, w = x.shape
    out = np.zeros((H, W), complex)
    for i, j in np.ndindex(H, W):
        y = max((i + 0.5) * h / H - 0.5, 0)
        z = max((j + 0.5) * w / W - 0.5, 0)
        y0, z0 = int(y), int(z)
        y1, z1 = min(y0 + 1, h - 1), min(z0 + 1, w - 1)
        fy, fz = y - y0, z - z0
        out[i, j] = (1 - fy) * ((1 - fz) * x[y0, z0] + fz * x[y0, z1]) + fy * (
            (1 - fz) * x[y1, z0] + fz * x[y1, z1]
        )
    return out


def sampled(image, x, y):
    """[C] of an image [C, H, W] at a place, borders repeated."""
    C, H, W = image.shape
    x = min(max(x, 0, key=np.real), W - 1, key=np.real) + 0j
    y = min(max(y, 0, key=np.real), H - 1, key=np.real) + 0j
    x0, y0 = min(int(x.real), W - 2), min(int(y.real), H - 2)
    fx, fy = x - x0, y - y0
    top = (1 - fx) * image[:, y0, x0] + fx * image[:, y0, x0 + 1]
    low = (1 - fx) * image[:, y0 + 1, x0] + fx * image[:, y0 + 1, x0 + 1]
    return (1 - fy) * top + fy * low


def warped(depth, K, T, image):
    C, H, W = image.shape
    out = np.zeros((C, H, W), complex)
    for i, j in np.ndindex(H, W):
        point = depth[i, j] * (np.linalg.inv(K) @ np.array([j, i, 1.0]))
        seen = K @ (T[:3, :3] @ point + T[:3, 3])
        out[:, i, j] = sampled(image, seen[0] / (seen[2] + 1e-7), seen[1] / (seen[2] + 1e-7))
    return out


def error(a, b, share):
    """[H, W] of images [C, H, W]."""

    def windows(x):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        C, H, W = x.shape
        return sum(padded[:, i : i + H, j : j + W] for i in range(3) for j in range(3)) / 9

    ma, mb = windows(a), windows(b)
    va, vb = windows(a * a) - ma**2, windows(b * b) - mb**2
    vab = windows(a * b) - ma * mb
    ssim = (2 * ma * mb + 1e-4) * (2 * vab + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))
    half = (1 - ssim) / 2
    half = np.where(half.real < 0, 0, np.where(half.real > 1, 1, half))
    d = a - b
    return share * half.mean(0) + (1 - share) * np.where(d.real < 0, -d, d).mean(0)


def photometric(
    *tensors, preset, scales, masked=True, share=0.85, nearest=0.1, farthest=100.0, seed=0, step=0
):
    disparities, (images, K, *views) = tensors[:scales], tensors[scales:]
    count = len(views) // 2
    sources, poses = views[:count], views[count:]
    B, C, H, W = images.shape
    values = []
    for scale, disparity in enumerate(disparities):
        noise = normal(seed, step, 2 * scale, (B, count, H, W))
        for b in range(B):
            inverse = 1 / farthest + (1 / nearest - 1 / farthest) * resized(disparity[b, 0], H, W)
            found = [
                error(warped(1 / inverse, K[b], T[b], source[b]), images[b], share)
                for source, T in zip(sources, poses)
            ]
            if masked:
                found += [
                    error(source[b], images[b], share) + 1e-5 * noise[b, k]
                    for k, source in enumerate(sources)
                ]
            found = np.array(found)
            least = np.argmin(found.real, axis=0)
            values.append(np.take_along_axis(found, least[None], 0).mean())
    return np.mean(values)


def unit(shape, seed):
    return dict(shape=list(shape), a=0.35, b=0.37 + 0.11 * seed, c=0.2 * seed, d=0.5)


def cases():
    for name, sources, scales, options in [
        ("photometric_stereo", 1, [(5, 7)], dict(preset="stereo")),
        ("photometric_unmasked", 1, [(5, 7)], dict(preset="stereo", masked=False)),
        ("photometric_video_scales", 2, [(6, 8), (3, 4)], dict(preset="video", share=0.7, seed=11, step=3)),
        ("photometric_near", 2, [(3, 4)], dict(preset="video", nearest=0.5, farthest=20.0, seed=5)),
    ]:
        B, (H, W) = 2, (6, 8) if scales[0][0] != 5 else (5, 7)
        inputs = {f"S{i}": unit((B, 1, *size), i + 2) for i, size in enumerate(scales)}
        inputs["images"] = unit((B, 3, H, W), 4)
        inputs["cameras"] = [CAMERA, CAMERA]
        for k in range(sources):
            inputs[f"sources.{k}"] = dict(unit((B, 3, H, W), 4), c=0.8 + 0.4 * (-1) ** k)
        for k in range(sources):
            inputs[f"poses.{k}"] = [pose(k + b + 1.0).tolist() for b in range(B)]
        loss = lambda *tensors, n=len(scales), **o: photometric(*tensors, scales=n, **o)
        yield case(name, loss, inputs, options)
