package org.structkd.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** A step has every loss of cases.json or those that were named, and both providers agree. */
class TrainingStepTest {
  @Test
  void providersAgreeOnEveryMeasuredLoss() {
    new TrainingStep(MeasuredLoss.all(), 2, 64, 128).requireEqualProviders();
  }

  @Test
  void aStepHasTheLossesThatWereNamedInTheirOrder() {
    TrainingStepBenchmark benchmark = new TrainingStepBenchmark();
    benchmark.provider = "structkd";
    benchmark.shape = "2x3x64x64";
    benchmark.ids = TrainingStepBenchmark.joined(List.of("pairwise", "pixelwise"));
    benchmark.setUp();
    TrainingStep pairwise = new TrainingStep(List.of(MeasuredLoss.of("pairwise")), 2, 64, 64);
    TrainingStep pixelwise = new TrainingStep(List.of(MeasuredLoss.of("pixelwise")), 2, 64, 64);
    assertEquals(value(pairwise) + value(pixelwise), benchmark.losses(), 1e-5 * benchmark.losses());
    assertTrue(benchmark.losses() > 0);
  }

  private static double value(TrainingStep step) {
    List<Tensor> losses = step.distillation("structkd");
    assertEquals(1, losses.size());
    return losses.get(0).item_double();
  }

  @ParameterizedTest
  @CsvSource({
    "'pixelwise,magic', '--losses has magic, expected different ones of ['",
    "'pairwise,pairwise', '--losses has pairwise twice, expected different ones of ['"
  })
  void lossesThatCannotBeMeasuredAreRefused(String losses, String sentence) {
    StringWriter err = new StringWriter();
    CommandLine command = new CommandLine(new StepCommand()).setErr(new PrintWriter(err, true));
    assertEquals(2, command.execute("--losses", losses));
    assertTrue(err.toString().contains(sentence), err.toString());
  }
}
