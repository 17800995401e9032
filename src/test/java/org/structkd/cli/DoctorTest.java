package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.verify.SelfCheck;

@Tag("emulated")
class DoctorTest {
  @Test
  void everyLossAgreesWithItsReference() {
    Cli cli = Cli.run("doctor");
    assertEquals(0, cli.status(), cli.out() + cli.err());
    for (SelfCheck check : SelfCheck.ALL) {
      assertTrue(cli.out().matches("(?s).*check +" + check.name() + " +OK .*"), cli.out());
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
