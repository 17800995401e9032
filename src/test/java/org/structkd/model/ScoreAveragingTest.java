package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Looks at an image, and the same in plain loops over arrays. */
@InScope
class ScoreAveragingTest {
  private static final String SCORES = "scores";

  /** Of f32 beside f64. */
  private static final double ROUNDING = 2e-6;

  /**
   * Scores that depend on where in what it sees a pixel lies, so that windows, scales and mirrors
   * differ: [2 x, x + row / 10 + column / 7] at a pixel x.
   *
   * @param multiple that sizes must be of; 0: it does not tell
   */
  private record Placed(int multiple, List<String> seen) implements TappedNetwork {
    Placed(int multiple) {
      this(multiple, new ArrayList<>());
    }

    @Override
    public Set<String> taps() {
      return Set.of(SCORES);
    }

    @Override
    public int sizeMultiple() {
      return multiple;
    }

    @Override
    public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
      Tensor x = inputs.get(IMAGES);
      long h = x.size(2);
      long w = x.size(3);
      seen.add(h + "x" + w);
      if (multiple > 0 && (h % multiple != 0 || w % multiple != 0)) {
        throw new IllegalArgumentException(h + "x" + w + " is no multiple of " + multiple);
      }
      Tensor rows = torch.arange(new Scalar(h)).to(ScalarType.Float).div(new Scalar(10.0));
      Tensor columns = torch.arange(new Scalar(w)).to(ScalarType.Float).div(new Scalar(7.0));
      Tensor placed = x.add(rows.reshape(1, 1, h, 1)).add(columns.reshape(1, 1, 1, w));
      Tensor scores = torch.cat(new TensorVector(x.mul(new Scalar(2)), placed), 1);
      return Map.of(SCORES, scores);
    }

    @Override
    public void to(Device device) {}
  }

  /** The same of [H][W], [2][H][W]. */
  private static double[][][] placed(double[][] x) {
    double[][][] scores = new double[2][x.length][x[0].length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x[0].length; j++) {
        scores[0][i][j] = 2 * x[i][j];
        scores[1][i][j] = x[i][j] + i / 10.0 + j / 7.0;
      }
    }
    return scores;
  }

  /** How an array is looked at, in plain loops. */
  private record Plain(ScoreAveraging how, int multiple) {
    double[][][] scores(double[][] x) {
      List<double[][][]> looks = new ArrayList<>();
      for (double scale : how.scales()) {
        int h = (int) Math.max(1, Math.round(x.length * scale));
        int w = (int) Math.max(1, Math.round(x[0].length * scale));
        double[][] scaled = resized(x, h, w);
        looks.add(each(windows(scaled), map -> resized(map, x.length, x[0].length)));
        if (how.flip()) {
          double[][][] mirrored = each(windows(mirrored(scaled)), Plain::mirrored);
          looks.add(each(mirrored, map -> resized(map, x.length, x[0].length)));
        }
      }
      return looks.size() == 1 ? looks.get(0) : meanOfProbabilities(looks);
    }

    private double[][][] windows(double[][] x) {
      SlidingWindow window = how.window();
      int wh = side(window == null ? 0 : window.height(), x.length);
      int ww = side(window == null ? 0 : window.width(), x[0].length);
      int sh = window == null ? wh : Math.min(wh, window.strideHeight());
      int sw = window == null ? ww : Math.min(ww, window.strideWidth());
      int h = Math.max(wh, x.length);
      int w = Math.max(ww, x[0].length);
      double[][][] sum = new double[2][h][w];
      double[][] count = new double[h][w];
      // Every stride, and one that ends with the image.
      for (int top = 0; ; top += sh) {
        int fromTop = Math.min(top, h - wh);
        for (int left = 0; ; left += sw) {
          int fromLeft = Math.min(left, w - ww);
          double[][] part = new double[wh][ww];
          for (int i = 0; i < wh; i++) {
            for (int j = 0; j < ww; j++) {
              int row = fromTop + i;
              int column = fromLeft + j;
              part[i][j] = row < x.length && column < x[0].length ? x[row][column] : 0;
            }
          }
          double[][][] scores = placed(part);
          for (int i = 0; i < wh; i++) {
            for (int j = 0; j < ww; j++) {
              count[fromTop + i][fromLeft + j]++;
              for (int k = 0; k < 2; k++) {
                sum[k][fromTop + i][fromLeft + j] += scores[k][i][j];
              }
            }
          }
          if (left + ww >= w) {
            break;
          }
        }
        if (top + wh >= h) {
          break;
        }
      }
      double[][][] mean = new double[2][x.length][x[0].length];
      for (int k = 0; k < 2; k++) {
        for (int i = 0; i < x.length; i++) {
          for (int j = 0; j < x[0].length; j++) {
            mean[k][i][j] = sum[k][i][j] / count[i][j];
          }
        }
      }
      return mean;
    }

    /** Of what is seen, for a window's side, 0 where there is none. */
    private int side(int window, int size) {
      int stride = Math.max(1, multiple);
      int whole = (size + stride - 1) / stride * stride;
      return window == 0 ? whole : multiple == 0 ? window : Math.min(window, whole);
    }

    private static double[][][] each(double[][][] maps, UnaryOperator<double[][]> change) {
      return new double[][][] {change.apply(maps[0]), change.apply(maps[1])};
    }

    private static double[][] mirrored(double[][] x) {
      double[][] mirrored = new double[x.length][x[0].length];
      for (int i = 0; i < x.length; i++) {
        for (int j = 0; j < x[0].length; j++) {
          mirrored[i][j] = x[i][x[0].length - 1 - j];
        }
      }
      return mirrored;
    }

    /** Bilinear, centres of pixels on each other. */
    private static double[][] resized(double[][] x, int h, int w) {
      double[][] resized = new double[h][w];
      for (int i = 0; i < h; i++) {
        double y = Math.max(0, (i + 0.5) * x.length / h - 0.5);
        int y0 = (int) y;
        int y1 = Math.min(y0 + 1, x.length - 1);
        for (int j = 0; j < w; j++) {
          double z = Math.max(0, (j + 0.5) * x[0].length / w - 0.5);
          int z0 = (int) z;
          int z1 = Math.min(z0 + 1, x[0].length - 1);
          double upper = x[y0][z0] * (1 - z + z0) + x[y0][z1] * (z - z0);
          double lower = x[y1][z0] * (1 - z + z0) + x[y1][z1] * (z - z0);
          resized[i][j] = upper * (1 - y + y0) + lower * (y - y0);
        }
      }
      return resized;
    }

    private static double[][][] meanOfProbabilities(List<double[][][]> looks) {
      int h = looks.get(0)[0].length;
      int w = looks.get(0)[0][0].length;
      double[][][] mean = new double[2][h][w];
      for (double[][][] look : looks) {
        for (int i = 0; i < h; i++) {
          for (int j = 0; j < w; j++) {
            double first = 1 / (1 + Math.exp(look[1][i][j] - look[0][i][j]));
            mean[0][i][j] += first / looks.size();
            mean[1][i][j] += (1 - first) / looks.size();
          }
        }
      }
      return mean;
    }
  }

  private static double[][] image(int height, int width) {
    double[][] image = new double[height][width];
    for (int i = 0; i < height; i++) {
      for (int j = 0; j < width; j++) {
        image[i][j] = (float) Math.sin(1.7 * i + 0.9 * j * j);
      }
    }
    return image;
  }

  private static Tensor tensor(double[][] image) {
    float[] values = new float[image.length * image[0].length];
    for (int at = 0; at < values.length; at++) {
      values[at] = (float) image[at / image[0].length][at % image[0].length];
    }
    return Tensor.create(values, 1, 1, image.length, image[0].length);
  }

  private static double[] flat(double[][][] maps) {
    List<Double> values = new ArrayList<>();
    for (double[][] map : maps) {
      for (double[] row : map) {
        for (double value : row) {
          values.add(value);
        }
      }
    }
    return values.stream().mapToDouble(Double::doubleValue).toArray();
  }

  private static Tensor scores(ScoreAveraging how, TappedNetwork network, Tensor images) {
    return how.of(network, SCORES).infer(images).get(SCORES);
  }

  private static ScoreAveraging how(
      @Nullable SlidingWindow window, boolean flip, double... scales) {
    List<Double> factors = new ArrayList<>();
    for (double scale : scales) {
      factors.add(scale);
    }
    return new ScoreAveraging(window, factors, flip);
  }

  @ParameterizedTest
  @CsvSource({
    // sizes of image, window and stride
    "8, 8, 8, 8, 8, 8",
    "13, 17, 8, 8, 4, 6",
    "13, 17, 8, 4, 8, 3",
    "5, 40, 8, 16, 6, 11",
    "3, 2, 8, 8, 5, 5",
    "16, 16, 8, 8, 8, 8",
    "17, 9, 4, 4, 1, 2",
  })
  void windowsAreAveragedWhereTheyOverlap(int h, int w, int wh, int ww, int sh, int sw) {
    ScoreAveraging how = how(new SlidingWindow(wh, ww, sh, sw), false, 1);
    Tensor actual = scores(how, new Placed(1), tensor(image(h, w)));
    assertArrayEquals(new long[] {1, 2, h, w}, actual.shape());
    double[] expected = flat(new Plain(how, 1).scores(image(h, w)));
    assertArrayEquals(expected, Tensors.values(actual), ROUNDING);
  }

  @ParameterizedTest
  @CsvSource({"12, 20, 1", "13, 17, 4", "3, 5, 8", "1, 1, 1", "31, 9, 8"})
  void scalesAndMirrorsAreAveragedAsProbabilities(int h, int w, int multiple) {
    for (boolean flip : new boolean[] {false, true}) {
      for (SlidingWindow window : new SlidingWindow[] {null, new SlidingWindow(8, 16, 5, 16)}) {
        ScoreAveraging how = how(window, flip, 0.5, 1, 1.75);
        Tensor actual = scores(how, new Placed(multiple), tensor(image(h, w)));
        assertArrayEquals(new long[] {1, 2, h, w}, actual.shape());
        double[] expected = flat(new Plain(how, multiple).scores(image(h, w)));
        assertArrayEquals(expected, Tensors.values(actual), ROUNDING);
      }
    }
  }

  /** Scores at a quarter of the image, which are brought to what was seen, as SKD's do. */
  @Test
  void smallerScoresAreBroughtToTheSizeOfTheWindow() {
    SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 7);
    Tensor images = Tensors.gaussian(1, 2, 1, 16, 24).to(ScalarType.Float);
    Tensor logits =
        ScoreAveraging.none().of(net, SegmentationNet.LOGITS).infer(images).get("logits");
    assertTrue(Tensors.sameBits(net.infer(images).get(SegmentationNet.UPSAMPLED), logits));
  }

  @Test
  void aWindowAsLargeAsTheImageChangesNothing() {
    SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(3, 2, 4), 7);
    Tensor images = Tensors.gaussian(1, 2, 3, 16, 24).to(ScalarType.Float);
    Tensor plain = net.infer(images).get(SegmentationNet.UPSAMPLED);
    ScoreAveraging windows = how(new SlidingWindow(16, 24), false, 1);
    for (ScoreAveraging how : new ScoreAveraging[] {windows, ScoreAveraging.none()}) {
      Tensor actual = how.of(net, SegmentationNet.UPSAMPLED).infer(images).get("upsampled");
      assertTrue(Tensors.sameBits(plain, actual), how.toString());
    }
  }

  /** The images of a batch have nothing to do with each other. */
  @Test
  void aBatchIsItsImages() {
    Tensor one = tensor(image(9, 14));
    Tensor other = one.neg();
    ScoreAveraging how = how(new SlidingWindow(8, 8), true, 0.75, 1);
    Tensor both = scores(how, new Placed(1), torch.cat(new TensorVector(one, other), 0));
    double[] first = Tensors.values(scores(how, new Placed(1), one));
    double[] second = Tensors.values(scores(how, new Placed(1), other));
    assertArrayEquals(first, Tensors.values(both.narrow(0, 0, 1)), ROUNDING);
    assertArrayEquals(second, Tensors.values(both.narrow(0, 1, 1)), ROUNDING);
  }

  @Test
  void aNetworkSeesWindowsOfOneSizeAlone() {
    Placed network = new Placed(8);
    scores(how(new SlidingWindow(16, 8), true, 0.5, 1.5), network, tensor(image(21, 23)));
    assertEquals(Set.of("16x8"), Set.copyOf(network.seen()));
  }

  /** What lies beyond the image is nothing to compute. */
  @Test
  void aWindowLargerThanTheImageSeesTheImageAlone() {
    Placed network = new Placed(8);
    scores(how(new SlidingWindow(512, 16), true, 0.5, 1), network, tensor(image(21, 40)));
    assertEquals(Set.of("16x16", "24x16"), Set.copyOf(network.seen()));
    SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(3, 2, 4), 7);
    Tensor images = Tensors.gaussian(1, 2, 3, 13, 24).to(ScalarType.Float);
    Tensor whole = ScoreAveraging.none().of(net, "upsampled").infer(images).get("upsampled");
    ScoreAveraging wide = how(new SlidingWindow(1024, 1024), false, 1);
    assertTrue(Tensors.sameBits(whole, wide.of(net, "upsampled").infer(images).get("upsampled")));
  }

  /** One that was traced for a size takes no other. */
  @Test
  void aNetworkThatDoesNotTellItsSizesSeesWholeWindows() {
    Placed network = new Placed(0);
    ScoreAveraging how = how(new SlidingWindow(16, 8, 16, 8), false, 0.5, 1);
    Tensor actual = scores(how, network, tensor(image(5, 9)));
    assertEquals(Set.of("16x8"), Set.copyOf(network.seen()));
    assertArrayEquals(
        flat(new Plain(how, 0).scores(image(5, 9))), Tensors.values(actual), ROUNDING);
  }

  @Test
  void theDefaultStrideIsTwoThirds() {
    assertEquals(new SlidingWindow(512, 10, 342, 7), new SlidingWindow(512, 10));
    assertEquals(new SlidingWindow(1, 1, 1, 1), new SlidingWindow(1, 1));
  }

  @Test
  void impossibleSettingsAreRefused() {
    refused("a window is 0 x 8, expected 1 x 1 or more", () -> new SlidingWindow(0, 8));
    refused(
        "the stride of the width is 9, expected 1 to 8, which leaves no pixel out",
        () -> new SlidingWindow(8, 8, 8, 9));
    refused(
        "the stride of the height is 0, expected 1 to 8, which leaves no pixel out",
        () -> new SlidingWindow(8, 8, 0, 8));
    for (List<Double> scales :
        List.of(List.<Double>of(), List.of(1.0, 0.0), List.of(Double.NaN), List.of(8.5))) {
      refused(
          "scales is " + scales + ", expected one or more, each above 0 and at most 8",
          () -> new ScoreAveraging(null, scales, false));
    }
  }

  @Test
  void networksThatDoNotFitAreRefused() {
    ScoreAveraging how = how(new SlidingWindow(12, 12), false, 1);
    SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 7);
    refused(
        "the network has no tap \"score\", it has: scores; did you mean \"scores\"?",
        () -> how.of(new Placed(1), "score"));
    refused(
        "segmentation net: images are [1, 1, 12, 12], expected [B, 1, H, W] with H and W multiples"
            + " of 8",
        () -> how.of(net, SegmentationNet.UPSAMPLED).infer(tensor(image(20, 20))));
    MatrixFactorization ratings =
        new MatrixFactorization(new MatrixFactorization.Config(2, 2, 1), 1);
    String inputs = ratings.inputs().toString();
    refused(
        "a network reads "
            + inputs
            + ", expected a single input, of which scores are averaged over looks",
        () -> how.of(ratings, "ratings"));
  }
}
