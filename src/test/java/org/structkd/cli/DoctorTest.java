package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.loss.PairwiseLoss;

class DoctorTest {
  @Test
  void everyLossAgreesWithItsReference() {
    Cli cli = Cli.run("doctor");
    assertEquals(0, cli.status(), cli.out() + cli.err());
    for (SelfCheck check : SelfCheck.ALL) {
      assertTrue(cli.out().matches("(?s).*check +" + check.name() + " +OK .*"), cli.out());
    }
  }

  @Test
  void kernelsOfGoldenFilesAreAllChecked() {
    for (String op : GoldenOp.ALL.keySet()) {
      assertTrue(
          op.equals("adaptive_loss_weighting") // plain Java
              || SelfCheck.ALL.stream().anyMatch(check -> check.name().startsWith(op)),
          op);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "JDK ",
        "JavaCPP ",
        "LibTorch ",
        "structkd ",
        "platform ",
        "processor ",
        "STRUCTKD_ISA=",
        "GPU ",
        "threads ",
        "pool ",
        "/libstructkd.so",
        "/libtorch_cpu.so"
      })
  void tellsWhatThereIs(String part) {
    assertTrue(Cli.run("doctor").out().contains(part), part);
  }

  /** A loss that depends on where it runs. */
  @Test
  void aKernelThatStraysFailsTheCheck() {
    PairwiseLoss loss = PairwiseLoss.skdCvpr19();
    int[] calls = new int[1];
    SelfCheck check =
        new SelfCheck(
            "astray",
            (student, teacher) ->
                loss.forward(student, teacher).mul(new Scalar(calls[0]++ == 0 ? 1.0001 : 1)));
    try (PointerScope scope = new PointerScope()) {
      assertFalse(check.run().passed());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"--loud", "extra"})
  void wrongArgumentsAreUsageErrors(String argument) {
    Cli cli = Cli.run("doctor", argument);
    assertEquals(2, cli.status());
    assertTrue(cli.err().contains(argument), cli.err());
  }

  @Test
  void unknownCommandsAreUsageErrors() {
    assertEquals(2, Cli.run("docter").status());
    assertEquals(2, Cli.run().status());
  }

  @Test
  void versionIsThatOfTheLibraries() {
    assertEquals("structkd 0.1.0\n", Cli.run("doctor", "--version").out());
    assertEquals("structkd 0.1.0\n", Cli.run("--version").out());
  }
}
