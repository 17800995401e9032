package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.Batch;
import org.structkd.model.ScoreAveraging;
import org.structkd.model.TappedNetwork;

/**
 * Judges class scores of every pixel by {@link SegmentationScore}. The numbers are {@code miou},
 * which leads, and {@code pixel_accuracy}; details are {@code iou_0} to {@code iou_K-1} of the
 * classes, NaN where a class has none. With a tolerance of boundaries there are {@code boundary_f},
 * the mean over the classes, and {@code boundary_f_0} and on, too ({@link BoundaryScore}). All are
 * 0 to 1, higher is better. The score has the confusion of the classes, counted in pixels.
 *
 * @param tap output with class scores [B, K, H, W] at the size of the labels [B, H, W]
 * @param classes names of the K classes, 1 to {@link SegmentationScore#MAX_CLASSES}
 * @param ignoreIndex label whose pixels do not count; empty: all do
 * @param resized whether scores of another size are brought to that of the labels, bilinearly; else
 *     they are refused
 * @param averaging how often a network looks at an image
 * @param boundary tolerance of boundaries as a share of an image's diagonal; 0: they are not judged
 */
public record SegmentationMetric(
    String tap,
    List<String> classes,
    OptionalLong ignoreIndex,
    boolean resized,
    ScoreAveraging averaging,
    double boundary)
    implements Metric {
  private static final String NAME = "segmentation metric";
  private static final String MIOU = "miou";
  private static final String BOUNDARY = "boundary_f";

  /** Checks the number of classes and the tolerance. */
  public SegmentationMetric {
    classes = List.copyOf(classes);
    new SegmentationScore(classes.size());
    requireTolerance(boundary);
  }

  /**
   * Checks a tolerance of boundaries.
   *
   * @throws IllegalArgumentException if it is neither 0 nor what {@link BoundaryScore} takes
   */
  public static void requireTolerance(double boundary) {
    if (boundary != 0) {
      new BoundaryScore(1, null, boundary);
    }
  }

  /** A metric for which all pixels count. */
  public SegmentationMetric(String tap, List<String> classes) {
    this(tap, classes, OptionalLong.empty());
  }

  /** A metric of scores that have the size of the labels. */
  public SegmentationMetric(String tap, List<String> classes, OptionalLong ignoreIndex) {
    this(tap, classes, ignoreIndex, false, ScoreAveraging.none(), 0);
  }

  @Override
  public TappedNetwork asked(TappedNetwork network) {
    return averaging.equals(ScoreAveraging.none()) ? network : averaging.of(network, tap);
  }

  @Override
  public Set<String> taps() {
    return Set.of(tap);
  }

  @Override
  public String leading() {
    return MIOU;
  }

  @Override
  public Count count() {
    Long ignored = ignoreIndex.isPresent() ? ignoreIndex.getAsLong() : null;
    SegmentationScore counted = new SegmentationScore(classes.size(), ignored);
    BoundaryScore boundaries =
        boundary == 0 ? null : new BoundaryScore(classes.size(), ignored, boundary);
    return new Count() {
      @Override
      public void add(Map<String, Tensor> outputs, Batch batch) {
        try (PointerScope temporaries = new PointerScope()) {
          Tensor labels = batch.target(Batch.LABELS);
          Tensor best = best(outputs, labels);
          counted.add(labels, best);
          for (int i = 0; boundaries != null && i < best.size(0); i++) {
            boundaries.add(
                SegmentationScore.elements("labels", labels.select(0, i)),
                SegmentationScore.elements("predictions", best.select(0, i)),
                (int) best.size(2));
          }
        }
      }

      @Override
      public Score score() {
        List<Score.Number> numbers = new ArrayList<>();
        numbers.add(number(MIOU, "mIoU", counted.meanIou()));
        numbers.add(number("pixel_accuracy", "pixel accuracy", counted.pixelAccuracy()));
        List<Score.Number> details = new ArrayList<>();
        for (int i = 0; i < classes.size(); i++) {
          details.add(number("iou_" + i, "IoU of " + classes.get(i), counted.iou(i)));
        }
        if (boundaries != null) {
          numbers.add(number(BOUNDARY, "boundary F", boundaries.meanF()));
          for (int i = 0; i < classes.size(); i++) {
            String title = "boundary F of " + classes.get(i);
            details.add(number(BOUNDARY + "_" + i, title, boundaries.f(i)));
          }
        }
        return new Score(numbers, details, counted.confusion(classes));
      }
    };
  }

  private static Score.Number number(String name, String title, double value) {
    return new Score.Number(name, title, value, "", true);
  }

  /** The most likely class of each pixel, on the CPU. */
  private Tensor best(Map<String, Tensor> outputs, Tensor labels) {
    Tensor scores = Taps.output(NAME, outputs, tap);
    long[] size = labels.shape();
    if (size.length != 3) {
      throw new IllegalArgumentException(
          NAME + ": labels are " + Arrays.toString(size) + ", expected [B, H, W]");
    }
    if (resized && scores.dim() == 4) {
      scores = torch.upsample_bilinear2d(scores, new long[] {size[1], size[2]}, false);
    }
    Taps.requireShape(NAME, tap, scores, size[0], classes.size(), size[1], size[2]);
    return scores.argmax(new LongOptional(1), false).cpu();
  }

  /** {@inheritDoc} The class of each pixel in its colour. */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor labels = batch.target(Batch.LABELS);
      Tensor shown = (answer.isEmpty() ? labels.cpu() : best(answer, labels)).select(0, 0);
      int[] pixels = new int[Math.toIntExact(shown.numel())];
      shown.to(ScalarType.Int).contiguous().data_ptr_int().get(pixels);
      return new Palette(classes).mask((int) shown.size(1), (int) shown.size(0), pixels);
    }
  }

  @Override
  public Map<String, Integer> legend() {
    Map<String, Integer> legend = new LinkedHashMap<>();
    Palette palette = new Palette(classes);
    for (int i = 0; i < classes.size(); i++) {
      legend.put(classes.get(i), palette.colour(i));
    }
    return legend;
  }
}
