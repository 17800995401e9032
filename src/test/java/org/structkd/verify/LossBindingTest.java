package org.structkd.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Optional;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Losses;
import org.structkd.loss.MapLoss;
import org.structkd.loss.Projector;
import org.structkd.loss.TrainedPart;

/** How the options of a case become a loss, whichever loss it is. */
class LossBindingTest {
  /** Presets that differ in a constant, in a number, and in whether they train a part. */
  public record Made(Kind kind, double scale, boolean trains) implements MapLoss {
    /** As of any loss. */
    public enum Kind {
      DISTANCE,
      ANGLE
    }

    public static Made distance() {
      return new Made(Kind.DISTANCE, 1, false);
    }

    public static Made paper() {
      return new Made(Kind.ANGLE, 2, false);
    }

    public static Made paperTrained() {
      return new Made(Kind.ANGLE, 2, true);
    }

    @Override
    public Tensor forward(Tensor student, Tensor teacher) {
      return student.sub(teacher).square().sum();
    }

    @Override
    public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
      return trains ? Optional.of(new Projector(1, 1, seed)) : Optional.empty();
    }
  }

  /** A loss whose presets a {@code kind} names, since no component does. */
  public record Named(double scale) implements MapLoss {
    public static Named oneSided() {
      return new Named(1);
    }

    public static Named twoSided() {
      return new Named(2);
    }

    @Override
    public Tensor forward(Tensor student, Tensor teacher) {
      return student.sub(teacher).square().sum();
    }
  }

  private static Losses.Entry entry(Class<? extends Loss> type) {
    return new Losses.Entry("made", type, Losses.Kind.COMPOSITION, "none");
  }

  private static GoldenCase golden(String options) {
    return MadeCases.golden(
        "{'name': 'made', 'op': 'made', 'options': {%s}, 'inputs': {'S': [[1, 2]], 'T': [[1, 0]]}}"
            .formatted(options));
  }

  private static Loss bound(Class<? extends Loss> type, String options) {
    try (PointerScope scope = new PointerScope()) {
      return LossCase.of(golden(options), entry(type)).loss();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "'preset': 'PAPER'                    | ANGLE    | 2",
        "'preset': 'PAPER', 'scale': 3        | ANGLE    | 3",
        "'preset': 'PAPER', 'kind': 'DISTANCE'| DISTANCE | 2",
        "'kind': 'DISTANCE'                   | DISTANCE | 1", // the preset that has it
        "'kind': 'ANGLE', 'scale': 5          | ANGLE    | 5", // the one that trains nothing
        "'kind': 'ANGLE', 'scale': 5, 'trains': false | ANGLE | 5",
        "'kind': 'DISTANCE', 'scale': 7, 'trains': false | DISTANCE | 7"
      })
  void optionsChooseThePresetAndChangeIt(String options, Made.Kind kind, double scale) {
    assertEquals(new Made(kind, scale, false), bound(Made.class, options));
  }

  @Test
  void aKindThatIsNoComponentIsAPreset() {
    assertEquals(Named.twoSided(), bound(Named.class, "'kind': 'TWO_SIDED'"));
  }

  @Test
  void whereSeveralLossesRemainThePresetIsMissed() {
    BadGoldenFileException error =
        assertThrows(BadGoldenFileException.class, () -> bound(Made.class, ""));
    assertEquals("file: case made: key options.preset is missing", error.getMessage());
  }

  @Test
  void aLossThatTrainsAPartIsSkipped() {
    GoldenOp.SkippedException error =
        assertThrows(
            GoldenOp.SkippedException.class, () -> bound(Made.class, "'preset': 'PAPER_TRAINED'"));
    assertEquals(
        "the loss trains a part of its own, whose parameters the case does not hold",
        error.getMessage());
  }

  @Test
  void valueAndGradientAreThoseOfTheRoles() {
    try (PointerScope scope = new PointerScope()) {
      GoldenResult result =
          LossCase.of(golden("'kind': 'DISTANCE'"), entry(Made.class))
              .compute(Placement.onCpu(ScalarType.Double));
      assertEquals(4.0, result.outputs().get("loss")[0]);
      assertEquals(4.0, result.gradients().get("S").values()[1]);
    }
  }
}
