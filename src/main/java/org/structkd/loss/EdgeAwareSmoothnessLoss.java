package org.structkd.loss;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * Edge-aware smoothness: disparity may change where the image does.
 *
 * <pre>{@code
 * L   = mean over scales s of 2^-s (mean exp(-mean_c |dx I|) |dx d*| + the same along y)
 * d*  = d / (mean of d over the image + 1e-7), or d itself
 * }</pre>
 *
 * <p>Differences are those of neighbouring pixels; the image of a scale is the mean over the pixels
 * that one of its disparities covers.
 *
 * <ul>
 *   <li><b>Value:</b> no unit, at least 0; a mean over images and pixels.
 *   <li><b>Gradient:</b> to the student's disparities.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: C. Godard et al., "Digging Into Self-Supervised Monocular Depth Estimation", ICCV
 * 2019, arXiv 1806.01260. Weight there: 0.001 beside the photometric loss.
 *
 * @param normalized whether disparities are divided by their mean, so that a network gains nothing
 *     by shrinking them
 */
public record EdgeAwareSmoothnessLoss(boolean normalized) implements Loss {
  private static final String NAME = "edge-aware smoothness loss";

  /** The role of its outputs: a list of disparities [B, 1, h, w], a scale each. */
  public static final String DISPARITY = "disparity";

  /** The input with the images, [B, C, H, W]. */
  public static final String IMAGES = "images";

  /** Keeps the division by the mean finite; the publication's code has it, too. */
  private static final double EPS = 1e-7;

  /** {@return the form of 2019: of disparities over their mean} */
  public static EdgeAwareSmoothnessLoss monodepth2() {
    return new EdgeAwareSmoothnessLoss(true);
  }

  /** {@return the form of 2017, by the same authors: of disparities as they are} */
  public static EdgeAwareSmoothnessLoss monodepth() {
    return new EdgeAwareSmoothnessLoss(false);
  }

  @Override
  public Needs needs() {
    Needs.Role disparity = Needs.Role.several(DISPARITY, 4);
    return new Needs(List.of(disparity), List.of(), Set.of(), Set.of(IMAGES), false)
        .with(DISPARITY, Needs.Form.of(Needs.Values.UNIT, 1, 0, 0))
        .with(IMAGES, Needs.Form.of(Needs.Values.UNIT));
  }

  /**
   * Computes the loss of one batch.
   *
   * @param inputs disparities of the student, the largest first, and the batch's images
   * @return scalar, f64 if a disparity is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if shapes or devices do not fit, or a scale has one pixel
   */
  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          Tensor images =
              MapView.of(NAME, IMAGES, inputs.input(IMAGES), MapView.Accepts.MAPS).map();
          List<Tensor> disparities = inputs.studentLayers(DISPARITY);
          TensorVector scales = new TensorVector();
          for (int scale = 0; scale < disparities.size(); scale++) {
            Tensor map = checked(DISPARITY + "." + scale, disparities.get(scale), images);
            scales.push_back(loss(map, images.detach()).mul(new Scalar(Math.scalb(1.0, -scale))));
          }
          return torch.stack(scales, 0).mean();
        });
  }

  private static Tensor checked(String name, Tensor disparity, Tensor images) {
    MapView view = MapView.of(NAME, name, disparity, MapView.Accepts.MAPS);
    Tensor map = view.map();
    if (map.size(0) != images.size(0) || map.size(1) != 1) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe(name, map)
              + " does not fit, expected ["
              + images.size(0)
              + ", 1, height, width] of the images");
    }
    TensorArguments.requireSameDevice(NAME, name, map, IMAGES, images);
    ConstantLoss.refuseIf(
        map.size(2) == 1 && map.size(3) == 1, view, "has one pixel, which has no neighbour");
    return map.to(torch.promoteTypes(map.scalar_type(), ScalarType.Float));
  }

  private Tensor loss(Tensor map, Tensor images) {
    Tensor image =
        torch.adaptive_avg_pool2d(images.to(map.scalar_type()), map.size(2), map.size(3));
    Tensor d = map;
    if (normalized) {
      Tensor means = Rows.mean(map.flatten(1, -1)).add(new Scalar(EPS));
      d = map.div(means.view(-1, 1, 1, 1));
    }
    return along(3, d, image).add(along(2, d, image));
  }

  /** mean exp(-mean_c |dI|) |dd| along an axis; 0 where it has one pixel. */
  private static Tensor along(long axis, Tensor d, Tensor image) {
    if (d.size(axis) == 1) {
      return d.detach().sum().mul(new Scalar(0)); // keeps NaN
    }
    Tensor edges = steps(axis, image).mean(new long[] {1}, true, new ScalarTypeOptional());
    return Rows.meanOfAll(steps(axis, d).mul(edges.neg().exp()));
  }

  private static Tensor steps(long axis, Tensor map) {
    long count = map.size(axis) - 1;
    return map.narrow(axis, 1, count).sub(map.narrow(axis, 0, count)).abs();
  }
}
