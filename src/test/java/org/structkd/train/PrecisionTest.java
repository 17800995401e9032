package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.compress.Quantization;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.HintLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.model.ScriptedNetwork;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.ForwardingNetwork;
import org.structkd.testing.InScope;
import org.structkd.testing.Objectives;
import org.structkd.testing.ScriptFile;

/** Trainings whose networks compute in bf16. */
@InScope(threads = 1)
class PrecisionTest {
  private static final int STEPS = 30;
  private static final FashionScenes SCENES = FashionScenes.bundled();

  @TempDir private Path folder;

  private static TrainingConfig config(Precision precision) {
    return TrainingConfig.of(STEPS, 0.01).withPrecision(precision);
  }

  private static Distiller supervised(Precision precision) {
    return new Distiller(config(precision), Objectives.supervised(), SceneBatches.of(SCENES, 4));
  }

  private static List<Double> losses(Precision precision, SegmentationNet student)
      throws IOException {
    List<Double> losses = new ArrayList<>();
    supervised(precision).withListener(onStep(loss -> losses.add(loss.value()))).train(student);
    return losses;
  }

  private static double mean(List<Double> losses, int first, int end) {
    return losses.subList(first, end).stream().mapToDouble(x -> x).average().orElseThrow();
  }

  @Test
  void learnsAboutWhatItLearnsInFullPrecision() throws IOException {
    SegmentationNet full = net(4, 1);
    SegmentationNet half = net(4, 1);
    List<Double> inFull = losses(Precision.F32, full);
    List<Double> inHalf = losses(Precision.BF16, half);
    double end = mean(inFull, STEPS - 5, STEPS);
    assertTrue(end < 0.7 * mean(inFull, 0, 2), inFull.toString());
    assertEquals(end, mean(inHalf, STEPS - 5, STEPS), 0.05 * end);
    assertFalse(inFull.equals(inHalf), "nothing was rounded");
  }

  @Test
  void equalTrainingsEndWithEqualBits() throws IOException {
    SegmentationNet one = net(2, 1);
    SegmentationNet other = net(2, 1);
    losses(Precision.BF16, one);
    losses(Precision.BF16, other);
    assertArrayEquals(bytes(one), bytes(other));
  }

  @Test
  void weightsAndWhatIsTrainedBesideThemStayInFullPrecision() throws IOException {
    SegmentationNet student = net(2, 1);
    Set<ScalarType> seen = new HashSet<>();
    supervised(Precision.BF16)
        .withListener(
            onStep(
                loss ->
                    StateDict.parametersOf(student.module())
                        .values()
                        .forEach(
                            parameter -> {
                              seen.add(parameter.scalar_type().intern());
                              seen.add(parameter.grad().scalar_type().intern());
                            })))
        .train(student);
    assertEquals(Set.of(ScalarType.Float), seen);
  }

  /** A network that notes what it is told to compute in, and may fail. */
  private static final class Watched extends ForwardingNetwork {
    private final Set<ScalarType> outputs = new HashSet<>();
    private boolean fails;

    Watched(SegmentationNet network) {
      super(network);
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
      assertTrue(torch.is_autocast_enabled(DeviceType.CPU));
      Map<String, Tensor> taps = super.forward(inputs);
      taps.values().forEach(output -> outputs.add(output.scalar_type().intern()));
      if (fails) {
        throw new IllegalStateException("in the middle of a network");
      }
      return taps;
    }
  }

  @Test
  void theStateOfLibTorchIsWhatItWas() throws IOException {
    ScalarType type = torch.get_autocast_dtype(DeviceType.CPU);
    torch.set_autocast_dtype(DeviceType.CPU, ScalarType.Half); // as somebody else may have it
    try {
      Watched student = new Watched(net(2, 1));
      assertThrows(
          IllegalStateException.class,
          () ->
              supervised(Precision.BF16)
                  .withListener(
                      onStep(
                          loss -> {
                            assertFalse(torch.is_autocast_enabled(DeviceType.CPU));
                            student.fails = loss.step() == 3;
                          }))
                  .train(student));
      assertTrue(student.outputs.contains(ScalarType.BFloat16), student.outputs.toString());
      assertFalse(torch.is_autocast_enabled(DeviceType.CPU));
      assertEquals(ScalarType.Half, torch.get_autocast_dtype(DeviceType.CPU).intern());
      assertEquals(1, torch.increment_nesting());
      assertEquals(0, torch.decrement_nesting());
    } finally {
      torch.set_autocast_dtype(DeviceType.CPU, type);
    }
  }

  /**
   * Losses see no bf16, whatever the networks give; a teacher out of a file computes in it, too.
   */
  @Test
  void aTorchScriptTeacherComputesInItAndLossesDoNot() throws IOException {
    Path file =
        ScriptFile.write(
            folder.resolve("teacher.pt"),
            "Tensor",
            "torch.matmul(images, torch.transpose(images, 2, 3))");
    Tensor images = SceneBatches.of(SCENES, 2).prepare(0).tensors().input("images");
    try (ScriptedNetwork teacher = ScriptedNetwork.load(file, images)) {
      Map<String, Tensor> inputs = Map.of("images", images);
      Tensor full = teacher.infer(inputs).values().iterator().next();
      Tensor half = Precision.BF16.outputs(inputs, teacher::infer).values().iterator().next();
      assertEquals(ScalarType.Float, half.scalar_type().intern());
      assertFalse(torch.equal(full, half));
      assertTrue(torch.allclose(full, half, 0.02, 0.1, false));
    }
  }

  /** A teacher, a loss with a kernel and one that trains a layer of its own. */
  @Test
  void distilsFromATeacher() throws IOException {
    Objective objective =
        Objective.of(
            new WeightedTerm("pixelwise", 1, Term.of(PixelwiseLoss.kd(), "logits")),
            new WeightedTerm("hint", 0.1, Term.of(HintLoss.cirkd(), "features")));
    Map<Precision, Double> ends = new HashMap<>();
    for (Precision precision : Precision.values()) {
      List<Double> losses = new ArrayList<>();
      new Distiller(config(precision), objective, SceneBatches.of(SCENES, 2))
          .withTeacher(net(6, 7))
          .withListener(onStep(loss -> losses.add(loss.value())))
          .train(net(2, 1));
      ends.put(precision, mean(losses, STEPS - 10, STEPS));
    }
    double end = ends.get(Precision.F32);
    assertEquals(end, ends.get(Precision.BF16), 0.05 * end);
  }

  @Test
  void roundedNumbersAreRefused() {
    String products = "bf16 cannot tell the products of 8-bit numbers";
    refused(
        "precision is bf16, expected f32 with quantization: " + products,
        () -> config(Precision.BF16).withQuantization(new Quantization.Int8(2)));
    SegmentationNet rounds = net(2, 1);
    rounds.convolutions().get(0).addRange();
    rounds.convolutions().get(0).observe(0.1);
    rounds.module().train(true);
    rounds.forward(SceneBatches.of(SCENES, 2).prepare(0).tensors().inputs());
    refused(
        "precision is bf16, but the student is quantised, expected f32: " + products,
        () -> supervised(Precision.BF16).train(rounds));
    refused(
        "precision is bf16, but a teacher is quantised, expected f32: " + products,
        () -> supervised(Precision.BF16).withTeacher(rounds).train(net(2, 1)));
  }
}
