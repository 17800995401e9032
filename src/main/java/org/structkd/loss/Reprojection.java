package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Where the pixels of a view lie in another one, and how that one looks from the first.
 *
 * @param rays K^-1 (x, y, 1) of each pixel of the view, [B, 3, H W]
 * @param camera K [B, 3, 3]
 * @param height of the views
 * @param width of the views
 */
record Reprojection(Tensor rays, Tensor camera, long height, long width) {
  /** Keeps the division by a point's distance finite; the publication's code has it, too. */
  private static final double EPS = 1e-7;

  /** LibTorch's numbers of bilinear interpolation and of padding by the border. */
  private static final long BILINEAR = 0;

  private static final long BORDER = 1;

  /**
   * The pixels of a view.
   *
   * @param camera K [B, 3, 3], floating, in units of pixels
   */
  static Reprojection of(Tensor camera, long height, long width) {
    TensorOptions options = camera.options();
    Tensor x = torch.arange(new Scalar(width), options).unsqueeze(0).expand(height, width);
    Tensor y = torch.arange(new Scalar(height), options).unsqueeze(1).expand(height, width);
    Tensor pixels = torch.stack(new TensorVector(x, y, torch.ones_like(x)), 0);
    Tensor rays = transformed(torch.linalg_inv(camera), pixels.reshape(1, 3, height * width));
    return new Reprojection(rays, camera, height, width);
  }

  /** M p of matrices [B, 3, 3] and points [B, 3, N]. */
  private static Tensor transformed(Tensor matrices, Tensor points) {
    return matrices.unsqueeze(3).mul(points.unsqueeze(1)).sum(2);
  }

  /**
   * {@return the other view as it is seen from the first, [B, C, H, W]}
   *
   * @param depth of the first view's pixels, [B, 1, H, W]
   * @param pose [B, 4, 4], from the first view's coordinates to the other's
   * @param other [B, C, H, W]
   */
  Tensor warped(Tensor depth, Tensor pose, Tensor other) {
    Tensor turned = transformed(camera, transformed(pose.narrow(1, 0, 3).narrow(2, 0, 3), rays));
    Tensor moved = transformed(camera, pose.narrow(1, 0, 3).narrow(2, 3, 1));
    Tensor points = turned.mul(depth.flatten(2, 3)).add(moved); // K (R X + t)
    Tensor distance = points.select(1, 2).add(new Scalar(EPS));
    Tensor grid =
        torch.stack(
            new TensorVector(
                places(points.select(1, 0).div(distance), width),
                places(points.select(1, 1).div(distance), height)),
            2);
    Tensor seen =
        torch.grid_sampler(
            other, grid.view(depth.size(0), height, width, 2), BILINEAR, BORDER, true);
    return seen.add(depth.sub(depth)); // a depth that is NaN would be sampled at the border
  }

  /** From pixels to -1 .. 1 between the middles of the outer ones. */
  private static Tensor places(Tensor pixels, long size) {
    return pixels.mul(new Scalar(2.0 / (size - 1))).sub(new Scalar(1));
  }
}
