package org.structkd.verify;

import java.util.Arrays;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.GlobalStructuralLoss.Comparison;
import org.structkd.loss.GlobalStructuralSamples;
import org.structkd.loss.Loss;
import org.structkd.loss.Losses;
import org.structkd.loss.Sampling;

/** Cases of the global structural loss: rows that are given, or maps with labels. */
final class GlobalStructuralGolden {
  private static final Losses.Entry LOSS = Losses.of("global_structural");

  private GlobalStructuralGolden() {}

  static GoldenOp.Computation prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    String student = options.value("student", String.class, "S");
    String teacher = options.value("teacher", String.class, "T");
    boolean block = options.choice("stage", Map.of("block", true, "full", false), null);
    GlobalStructuralLoss asked =
        (GlobalStructuralLoss) LossBinding.loss(LOSS, options, trainsNothing -> false);
    GlobalStructuralLoss loss = asked.withSampling(asked.sampling().withDraw(Sampling.Draw.RASTER));
    // Both say what is done anyway: the stored numbers know no other permutation or projector.
    options.choice("permutation", Map.of("formula", true), true);
    options.choice("projector", Map.of("identity", true), true);
    options.requireAllRead();
    return block ? block(golden, student, teacher, loss) : full(golden, student, teacher, loss);
  }

  /** Rows [classes, samples, channels], as they are. */
  private static GoldenOp.Computation block(
      GoldenCase golden, String student, String teacher, GlobalStructuralLoss loss) {
    long[] shape = golden.input(student).shape();
    if (shape.length != 3 || golden.input(teacher).shape().length != 3) {
      throw golden.badInputs("stage block takes rows [classes, samples, channels]");
    }
    Loss ofRows =
        inputs -> {
          Tensor rows = rows(inputs.student("rows"));
          return loss.forwardRows(
              rows,
              rows(inputs.teacher("rows")),
              (int) shape[0],
              permutation((int) rows.size(1)).to(rows.device(), ScalarType.Int),
              0);
        };
    return new LossCase(
        golden,
        ofRows,
        Map.of("rows", student),
        Map.of("rows", teacher),
        Set.of(),
        Set.of(),
        OptionalLong.empty(),
        0);
  }

  private static Tensor rows(Tensor perClass) {
    return perClass.reshape(1, perClass.size(0) * perClass.size(1), perClass.size(2));
  }

  /** Maps and labels; a value for each image. */
  private static GoldenOp.Computation full(
      GoldenCase golden, String studentName, String teacherName, GlobalStructuralLoss loss) {
    GoldenTensor student = golden.input(studentName);
    GoldenTensor teacher = golden.input(teacherName);
    GoldenTensor labels = golden.param("labels_small");
    requireLabelsOf(golden, "labels_small", labels, student);
    Map<String, GoldenTensor> predictions = new TreeMap<>();
    predictions.put("per_image_all_correct", labels);
    if (golden.json().get("params").has("t_predict_bad")) {
      GoldenTensor bad = golden.param("t_predict_bad");
      requireLabelsOf(golden, "t_predict_bad", bad, student);
      predictions.put("per_image_masked", bad);
    }
    return placement -> {
      Map<String, double[]> outputs = new TreeMap<>();
      predictions.forEach(
          (name, predicted) ->
              outputs.put(
                  name,
                  perImage(
                      loss,
                      placement.map(student.tensor()),
                      placement.map(teacher.tensor()),
                      placement.table(Tensor.create(labels.integers(), labels.shape())),
                      placement.table(logitsOf(predicted, labels)))));
      return new GoldenResult(outputs, Map.of(), loss.comparison() != Comparison.GROUP_DIVERGENCE);
    };
  }

  private static void requireLabelsOf(
      GoldenCase golden, String name, GoldenTensor labels, GoldenTensor map) {
    long[] shape = map.shape();
    if (shape.length != 4) {
      throw golden.badInputs("stage full takes maps [batch, channels, height, width]");
    }
    long[] expected = {shape[0], shape[2], shape[3]};
    if (!Arrays.equals(labels.shape(), expected)) {
      throw golden
          .json()
          .get("params")
          .get(name)
          .bad(
              "has shape %s, expected %s"
                  .formatted(Arrays.toString(labels.shape()), Arrays.toString(expected)));
    }
  }

  private static double[] perImage(
      GlobalStructuralLoss loss, Tensor student, Tensor teacher, Tensor labels, Tensor logits) {
    double[] values = new double[(int) student.size(0)];
    for (int image = 0; image < values.length; image++) {
      Tensor map = teacher.narrow(0, image, 1);
      GlobalStructuralSamples samples =
          loss.sample(map, logits.narrow(0, image, 1), labels.narrow(0, image, 1), 0);
      int count = samples.counts().select(1, 0).item_int();
      if (count == 0) {
        continue; // nothing to compare: 0
      }
      // Cut to the samples of this image: the formula of the permutation depends on their number.
      GlobalStructuralSamples own =
          new GlobalStructuralSamples(samples.indices().narrow(1, 0, count), samples.counts());
      Tensor order = permutation(count).to(student.device(), ScalarType.Int);
      Tensor value = loss.forwardAt(student.narrow(0, image, 1), map, own, order, 0);
      values[image] = value.item_double();
    }
    return values;
  }

  /**
   * Logits [B, K, H, W] whose largest is the predicted class. A prediction that is no class becomes
   * one that no label has.
   */
  private static Tensor logitsOf(GoldenTensor predicted, GoldenTensor labels) {
    long largest =
        Math.max(
            Arrays.stream(labels.integers()).max().orElse(0),
            Arrays.stream(predicted.integers()).max().orElse(0));
    int none = (int) Math.max(largest, 0) + 1;
    long[] shape = predicted.shape();
    int plane = (int) (shape[1] * shape[2]);
    double[] logits = new double[(int) shape[0] * (none + 1) * plane];
    long[] classes = predicted.integers();
    for (int i = 0; i < classes.length; i++) {
      int k = classes[i] < 0 ? none : (int) classes[i];
      logits[(i / plane * (none + 1) + k) * plane + i % plane] = 1;
    }
    return Tensor.create(logits, shape[0], none + 1, shape[1], shape[2]).to(ScalarType.Float);
  }

  /**
   * The permutations of golden files: row i has (c j + i) mod M at place j, where c runs through
   * the numbers that are coprime to M, in ascending order, over and over.
   */
  private static Tensor permutation(int samples) {
    int[] coprime = coprimeTo(samples);
    int[] entries = new int[samples * samples];
    for (int i = 0; i < samples; i++) {
      long factor = coprime[i % coprime.length];
      for (int j = 0; j < samples; j++) {
        entries[i * samples + j] = (int) ((factor * j + i) % samples);
      }
    }
    return Tensor.create(entries, samples, samples);
  }

  private static int[] coprimeTo(int number) {
    int[] coprime =
        IntStream.range(1, number).filter(k -> greatestCommonDivisor(k, number) == 1).toArray();
    return coprime.length > 0 ? coprime : new int[] {1}; // a single sample
  }

  private static int greatestCommonDivisor(int one, int other) {
    return other == 0 ? one : greatestCommonDivisor(other, one % other);
  }
}
