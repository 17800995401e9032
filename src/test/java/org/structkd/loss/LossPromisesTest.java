package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.loss.PlantedLoss.Fault;
import org.structkd.testing.LossUnderTest;

/**
 * Every loss of {@link Losses} keeps every {@link LossPromise}, and a loss that breaks one shows.
 */
@Tag("emulated")
class LossPromisesTest {
  /** An emulated GPU is too slow for hundreds of steps. */
  private static final boolean EMULATED =
      System.getProperty("structkd.cuda", "").equals("emulated");

  private int threads;

  @BeforeEach
  void rememberThreads() {
    threads = torch.get_num_threads();
  }

  /** Faults change it. */
  @AfterEach
  void restoreLibTorch() {
    torch.set_num_threads(threads);
    GradMode.set_enabled(true);
  }

  static Stream<Arguments> promises() {
    List<LossUnderTest> losses = LossUnderTest.all();
    return Stream.of(LossPromise.values())
        .filter(promise -> promise != LossPromise.TRAINS_BY_ITSELF || !EMULATED)
        .flatMap(
            promise ->
                losses.stream().filter(promise::concerns).map(loss -> Arguments.of(promise, loss)));
  }

  @ParameterizedTest(name = "{0}: {1}")
  @MethodSource("promises")
  void isKept(LossPromise promise, LossUnderTest loss) {
    promise.check(loss);
  }

  private static LossUnderTest planted(Fault fault) {
    return new LossUnderTest(
        "planted", fault.toString(), new PlantedLoss(fault, 1), true, Optional.empty());
  }

  @ParameterizedTest
  @EnumSource(LossPromise.class)
  void aSoundLossKeepsIt(LossPromise promise) {
    assertTrue(promise.concerns(planted(Fault.NONE)));
    promise.check(planted(Fault.NONE));
  }

  @ParameterizedTest
  @EnumSource(value = Fault.class, names = "NONE", mode = EnumSource.Mode.EXCLUDE)
  void aLossThatBreaksItIsCaught(Fault fault) {
    LossUnderTest loss = planted(fault);
    // A fault may end in an exception that is none of the promised ones.
    assertThrows(Throwable.class, () -> fault.breaks().check(loss));
  }

  @Test
  void everyPromiseIsBrokenByOneOfThem() {
    for (LossPromise promise : LossPromise.values()) {
      assertTrue(
          Arrays.stream(Fault.values())
              .anyMatch(fault -> fault != Fault.NONE && fault.breaks() == promise),
          promise.toString());
    }
  }
}
