package org.structkd.verify;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.GlobalStructuralLoss.Comparison;
import org.structkd.loss.GlobalStructuralLoss.Reduction;
import org.structkd.loss.GlobalStructuralLoss.Remainder;
import org.structkd.loss.GlobalStructuralLoss.Shuffle;
import org.structkd.loss.GlobalStructuralLoss.Similarity;
import org.structkd.loss.GlobalStructuralSamples;
import org.structkd.loss.Sampling;
import org.structkd.loss.Sampling.Draw;
import org.structkd.loss.Sampling.Fill;
import org.structkd.loss.Sampling.Strategy;

/** Cases of the global structural loss: rows that are given, or maps with labels. */
final class GlobalStructuralGolden implements GoldenOp {
  private static final Map<String, GlobalStructuralLoss> PRESETS =
      Map.of("AUTHORS_RELEASED", GlobalStructuralLoss.authorsReleased());

  private static final Map<String, Comparison> COMPARISONS =
      Map.of(
          "F1", Comparison.GROUP_DIVERGENCE,
          "F2", Comparison.ROW_DIVERGENCE,
          "F3", Comparison.DESCRIPTOR_RELATION);

  private static final Map<String, Strategy> SAMPLINGS =
      Map.of("CLASS_BALANCED", Strategy.CLASS_BALANCED, "ALL", Strategy.ALL);

  private static final Map<String, Boolean> STAGES = Map.of("block", true, "full", false);

  @Override
  public Prepared prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    StudentTeacherCase inputs = StudentTeacherCase.of(golden, options);
    boolean block = options.requiredChoice("stage", STAGES);
    GlobalStructuralLoss loss = loss(options);
    // Both say what is done anyway: the stored numbers know no other permutation or projector.
    options.choice("permutation", Map.of("FORMULA", true), true);
    options.choice("projector", Map.of("IDENTITY", true), true);
    options.requireAllRead();
    Computation computation = block ? block(golden, inputs, loss) : full(golden, inputs, loss);
    return loss.comparison() == Comparison.GROUP_DIVERGENCE
        ? Prepared.kernel(computation)
        : Prepared.composition(computation);
  }

  private static GlobalStructuralLoss loss(GoldenOptions options) {
    GlobalStructuralLoss preset =
        options.choice("preset", PRESETS, GlobalStructuralLoss.standard());
    return preset
        .withSampling(sampling(options, preset.sampling()))
        .withGroupWidth(options.integer("group_width", (int) preset.groupWidth()))
        .withTemperature(options.number("temperature", preset.temperature()))
        .withSimilarity(options.choice("similarity", Similarity.class, preset.similarity()))
        .withShuffle(options.choice("shuffle", Shuffle.class, preset.shuffle()))
        .withComparison(options.choice("compare", COMPARISONS, preset.comparison()))
        .withReduction(options.choice("reduction", Reduction.class, preset.reduction()))
        .withRemainder(options.choice("remainder", Remainder.class, preset.remainder()));
  }

  private static Sampling sampling(GoldenOptions options, Sampling preset) {
    Strategy strategy = options.choice("sampling", SAMPLINGS, preset.strategy());
    return preset
        .withDraw(Draw.RASTER)
        .withStrategy(strategy, options.integer("samples_per_class", preset.samples()))
        .withFill(options.choice("minority_fill", Fill.class, preset.fill()))
        .withTeacherCorrectOnly(options.flag("teacher_correct_only", preset.teacherCorrectOnly()));
  }

  /** Rows [classes, samples, channels], as they are. */
  private static Computation block(
      GoldenCase golden, StudentTeacherCase inputs, GlobalStructuralLoss loss) {
    long[] shape = golden.input(inputs.student()).shape();
    if (shape.length != 3 || golden.input(inputs.teacher()).shape().length != 3) {
      throw golden.badInputs("stage block takes rows [classes, samples, channels]");
    }
    return inputs.computing(
        rows -> rows.reshape(1, rows.size(0) * rows.size(1), rows.size(2)),
        (student, teacher) ->
            loss.forwardRows(
                student,
                teacher,
                (int) shape[0],
                permutation((int) student.size(1)).to(student.device(), ScalarType.Int),
                0));
  }

  /** Maps and labels; a value for each image. */
  private static Computation full(
      GoldenCase golden, StudentTeacherCase inputs, GlobalStructuralLoss loss) {
    GoldenTensor student = golden.input(inputs.student());
    GoldenTensor teacher = golden.input(inputs.teacher());
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
      return new GoldenResult(outputs, Map.of());
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
              "has shape "
                  + Arrays.toString(labels.shape())
                  + ", expected "
                  + Arrays.toString(expected));
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
