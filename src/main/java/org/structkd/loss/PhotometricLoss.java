package org.structkd.loss;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Photometric reprojection: depth is right if other views of a scene, moved by it to where the
 * camera stood, look like the view.
 *
 * <pre>{@code
 * L       = mean over scales and pixels of min over sources of pe(I, I_k warped)
 *           and, masked, of pe(I, I_k) + 1e-5 n, n standard normal
 * pe(a,b) = share mean_c clamp((1 - SSIM) / 2, 0, 1) + (1 - share) mean_c |a - b|
 * warped  : pixel p of I takes I_k at K T D(p) K^-1 p, bilinear, borders repeated
 * D       = 1 / (1/farthest + (1/nearest - 1/farthest) sigma)
 * }</pre>
 *
 * <p>SSIM takes means over 3x3 windows, images reflected at their borders. Disparities of smaller
 * scales are enlarged to the images first, bilinear, corners not aligned. The mask leaves out what
 * looks the same without being moved: there the minimum is none of the warped ones, and no gradient
 * flows. Its noise breaks ties and is a function of seed and step.
 *
 * <ul>
 *   <li><b>Value:</b> 0 to 1 for images in 0 .. 1, and masked as little as some 1e-5 below 0, as
 *       its noise is; a mean over scales, images and pixels.
 *   <li><b>Gradient:</b> to the student's disparities.
 *   <li><b>Numbers:</b> variances of windows are differences of squares, which cancel, and so all
 *       is computed in f64.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: C. Godard et al., "Digging Into Self-Supervised Monocular Depth Estimation", ICCV
 * 2019, arXiv 1806.01260.
 *
 * @param sources how many other views there are: the batch's inputs {@code sources.0} ..., with the
 *     poses {@code poses.0} ...
 * @param masked whether unmoved sources take part in the minimum
 * @param share of SSIM, 0 to 1; 0.85 as published
 * @param nearest depth, at a disparity of 1; above 0
 * @param farthest depth, at a disparity of 0; greater than nearest
 * @param seed of the noise
 */
public record PhotometricLoss(
    int sources, boolean masked, double share, double nearest, double farthest, long seed)
    implements CountingLoss, DepthRange {
  private static final String NAME = "photometric loss";

  /** The role of its outputs: a list of disparities [B, 1, h, w] in 0 .. 1, a scale each. */
  public static final String DISPARITY = "disparity";

  /** The input with the views that depth belongs to, [B, C, H, W] in 0 .. 1. */
  public static final String IMAGES = "images";

  /** The input with the camera matrices K in units of pixels, [B, 3, 3]. */
  public static final String CAMERAS = "cameras";

  private static final String SOURCES = "sources.";
  private static final String POSES = "poses.";

  /** How far noise lifts sources that are not moved. */
  private static final double NOISE = 1e-5;

  /** Checks the numbers. */
  public PhotometricLoss {
    Settings.requireCount(NAME, "sources", sources, 1);
    if (!(share >= 0 && share <= 1)) { // also refuses NaN
      throw new IllegalArgumentException(NAME + ": share is " + share + ", expected 0 to 1");
    }
    if (!(nearest > 0 && farthest > nearest && farthest < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "%s: nearest is %s and farthest is %s, expected finite numbers above 0, nearest first"
              .formatted(NAME, nearest, farthest));
    }
  }

  /** {@return two other frames of a video, as published} */
  public static PhotometricLoss video() {
    return new PhotometricLoss(2, true, 0.85, 0.1, 100, 0);
  }

  /** {@return the other image of a stereo pair, as published} */
  public static PhotometricLoss stereo() {
    return new PhotometricLoss(1, true, 0.85, 0.1, 100, 0);
  }

  /**
   * {@inheritDoc} Pixels that a source does not see take no part, and noise depends on an image's
   * place.
   */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    Set<String> inputs = new HashSet<>(Set.of(IMAGES, CAMERAS));
    for (int source = 0; source < sources; source++) {
      inputs.add(SOURCES + source);
      inputs.add(POSES + source);
    }
    Needs.Role disparity = Needs.Role.several(DISPARITY, 4);
    Needs needs = new Needs(List.of(disparity), List.of(), Set.of(), inputs, false);
    Needs.Form unit = Needs.Form.of(Needs.Values.UNIT);
    needs = needs.with(DISPARITY, Needs.Form.of(Needs.Values.UNIT, 1, 0, 0)).with(IMAGES, unit);
    needs = needs.with(CAMERAS, Needs.Form.of(Needs.Values.MATRICES, 3, 3));
    for (int source = 0; source < sources; source++) {
      needs = needs.with(SOURCES + source, unit);
      needs = needs.with(POSES + source, Needs.Form.of(Needs.Values.MATRICES, 4, 4));
    }
    return needs;
  }

  /**
   * {@inheritDoc} Pixels are counted.
   *
   * @throws IllegalArgumentException if shapes do not fit, or images have a side of one pixel
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    MapView images = MapView.of(NAME, IMAGES, inputs.input(IMAGES), MapView.Accepts.MAPS);
    List<Tensor> disparities = disparities(inputs, images.map());
    Scene scene = Scene.of(this, inputs, images.map().detach().to(ScalarType.Double));
    ScalarType type = ScalarType.Float;
    TensorVector scales = new TensorVector();
    for (int scale = 0; scale < disparities.size(); scale++) {
      Tensor disparity = disparities.get(scale);
      type = torch.promoteTypes(type, disparity.scalar_type());
      scales.push_back(scene.loss(disparity.to(ScalarType.Double), scale));
    }
    long pixels = images.map().numel() / images.map().size(1);
    return new LossValue(
        torch.stack(scales, 0).mean().to(type), Tensor.create(new long[] {pixels}));
  }

  private static List<Tensor> disparities(LossInputs inputs, Tensor images) {
    if (images.size(2) < 2 || images.size(3) < 2) {
      throw misfit(IMAGES, images, "images of 2 x 2 pixels or more, which can be reflected");
    }
    List<Tensor> disparities = inputs.studentLayers(DISPARITY);
    for (int scale = 0; scale < disparities.size(); scale++) {
      String name = DISPARITY + "." + scale;
      Tensor map = MapView.of(NAME, name, disparities.get(scale), MapView.Accepts.MAPS).map();
      if (map.size(0) != images.size(0) || map.size(1) != 1) {
        throw misfit(name, map, "[" + images.size(0) + ", 1, height, width] of the images");
      }
      TensorArguments.requireSameDevice(NAME, name, map, IMAGES, images);
    }
    return disparities;
  }

  private static IllegalArgumentException misfit(String name, Tensor given, String expected) {
    return new IllegalArgumentException(
        NAME
            + ": "
            + TensorArguments.describe(name, given)
            + " does not fit, expected "
            + expected);
  }

  /** A tensor of the batch, checked and in the type of the computation. */
  private static Tensor input(LossInputs inputs, String name, Tensor images, long... shape) {
    Tensor given = inputs.input(name);
    TensorArguments.requireOpen(NAME, name, given);
    TensorArguments.requireNumbers(NAME, name, given);
    if (!Arrays.equals(given.shape(), shape)) {
      throw misfit(name, given, Arrays.toString(shape));
    }
    TensorArguments.requireSameDevice(NAME, name, given, IMAGES, images);
    return given.detach().to(images.scalar_type());
  }

  /**
   * A step's views and cameras.
   *
   * @param unmoved errors of the sources as they are, where these take part; all scales have them
   */
  private record Scene(
      PhotometricLoss loss,
      Dissimilarity view,
      Reprojection pixels,
      List<Tensor> sources,
      List<Tensor> poses,
      List<Tensor> unmoved,
      Draws draws) {
    static Scene of(PhotometricLoss loss, LossInputs inputs, Tensor image) {
      long batch = image.size(0);
      List<Tensor> sources = new ArrayList<>();
      List<Tensor> poses = new ArrayList<>();
      for (int source = 0; source < loss.sources; source++) {
        sources.add(input(inputs, SOURCES + source, image, image.shape()));
        poses.add(input(inputs, POSES + source, image, batch, 4, 4));
      }
      Tensor camera = input(inputs, CAMERAS, image, batch, 3, 3);
      Dissimilarity view = Dissimilarity.to(image, loss.share);
      return new Scene(
          loss,
          view,
          Reprojection.of(camera, image.size(2), image.size(3)),
          sources,
          poses,
          loss.masked ? sources.stream().map(view::of).toList() : List.of(),
          new Draws(loss.seed, inputs.step()));
    }

    private Tensor image() {
      return view.image();
    }

    Tensor loss(Tensor disparity, int scale) {
      Tensor depth = depth(enlarged(disparity));
      TensorVector errors = new TensorVector();
      for (int source = 0; source < sources.size(); source++) {
        Tensor seen = pixels.warped(depth, poses.get(source), sources.get(source));
        errors.push_back(view.of(seen));
      }
      if (loss.masked) {
        Tensor noise =
            draws.normal(
                2L * scale, // a normal number takes two streams
                image().device(),
                image().size(0),
                sources.size(),
                image().size(2),
                image().size(3));
        for (int source = 0; source < sources.size(); source++) {
          Tensor lift = noise.narrow(1, source, 1).mul(new Scalar(NOISE));
          errors.push_back(unmoved.get(source).add(lift.to(image().scalar_type())));
        }
      }
      return Rows.meanOfAll(torch.cat(errors, 1).amin(new long[] {1}, false));
    }

    private Tensor enlarged(Tensor disparity) {
      long[] size = {image().size(2), image().size(3)};
      return disparity.size(2) == size[0] && disparity.size(3) == size[1]
          ? disparity
          : torch.upsample_bilinear2d(disparity, size, false);
    }

    private Tensor depth(Tensor disparity) {
      double least = 1 / loss.farthest;
      Tensor inverse = disparity.mul(new Scalar(1 / loss.nearest - least)).add(new Scalar(least));
      return inverse.reciprocal();
    }
  }
}
