package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.compress.Quantization;
import org.structkd.data.FashionScenes;
import org.structkd.data.Garments;
import org.structkd.data.SceneBatches;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.HintLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.model.ResNet;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.InScope;
import org.structkd.testing.Objectives;

/** Trainings whose students compute the insides of their stages again. */
@InScope(threads = 1)
class RecomputedTrainingTest {
  private static final Garments GARMENTS = Garments.bundled(Garments.Config.defaults());

  private static ResNet resnet(int width, long seed) {
    return new ResNet(new ResNet.Config(1, 14, width, 10), seed);
  }

  /**
   * Labels, a teacher, a layer that learns beside the student; means of two batches, an average.
   */
  private static byte[] trained(Precision precision, boolean again) throws IOException {
    Objective objective =
        Objective.of(
            new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "logits")),
            new WeightedTerm("kd", 0.5, Term.of(PixelwiseLoss.kd(), "logits")),
            new WeightedTerm("hint", 0.1, Term.of(HintLoss.cirkd(), "stage2")));
    TrainingConfig config =
        TrainingConfig.of(3, 0.01)
            .withAccumulate(2)
            .withEma(0.5)
            .withPrecision(precision)
            .withRecomputeActivations(again);
    ResNet student = resnet(2, 1);
    new Distiller(config, objective, GARMENTS.training(4)).withTeacher(resnet(3, 7)).train(student);
    return bytes(student);
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void theStudentIsTheSame(Precision precision) throws IOException {
    assertArrayEquals(trained(precision, false), trained(precision, true));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    TrainingConfig config = TrainingConfig.of(3, 0.01).withRecomputeActivations(true);
    refused(
        "recomputeActivations is true, expected false with quantization: ranges follow what layers"
            + " get, and would see it twice",
        () -> config.withQuantization(new Quantization.Int8(1)));
    refused(
        "recomputeActivations is true, but the student has no stages to compute again",
        () ->
            new Distiller(
                    config, Objectives.supervised(), SceneBatches.of(FashionScenes.bundled(), 2))
                .train(net(2, 1)));
  }
}
