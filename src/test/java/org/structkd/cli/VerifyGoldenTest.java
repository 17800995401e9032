package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;

/** What verify-golden says and how it ends, above all when something is wrong. */
class VerifyGoldenTest {
  /** Two nodes that are parallel in the student and orthogonal in the teacher: loss 2 / 2^2. */
  private static final String GOOD =
      """
      {"cases": [
        {"name": "two-nodes", "op": "pairwise",
         "options": {"preset": "SKD_MASTER", "pool": "NONE"},
         "inputs": {"S": [[[[3, 3]], [[4, 4]]]], "T": [[[[1, 0]], [[0, 1]]]]},
         "out_f64": {"loss": 0.5},
         "grad": {"S": {"shape": [1, 2, 1, 2], "values": [0.12, 0.12, 0.16, 0.16],
                        "sum": 0.56, "abs_sum": 0.56, "first": [0.12, 0.12]}}},
        {"name": "note", "op": null}
      ]}
      """;

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("golden.json");
  }

  /** Runs a file that differs from GOOD in one place. */
  private Cli verify(String text, String replacement, Object... arguments) throws IOException {
    assertTrue(GOOD.contains(text), "the test no longer changes anything: " + text);
    Files.writeString(file, GOOD.replace(text, replacement));
    Object[] all = new Object[arguments.length + 2];
    all[0] = "verify-golden";
    all[1] = file;
    System.arraycopy(arguments, 0, all, 2, arguments.length);
    Cli cli = Cli.run(all);
    assertFalse(cli.err().contains("\tat "), cli.err());
    return cli;
  }

  /** eps = 1e-8 moves the value by 4e-9: too much for f64. */
  @Test
  void aGoodFilePassesInF32OnEveryBackend() throws IOException {
    for (String backend : new String[] {"reference", "cpu"}) {
      Cli cli = verify("", "", "--dtype", "f32", "--backend", backend);
      assertEquals(0, cli.status(), cli.out());
      assertTrue(cli.out().endsWith("1 passed, 0 failed, 1 skipped\n"), cli.out());
      assertEquals("", cli.err());
    }
  }

  @Test
  void withoutADtypeBothRun() throws IOException {
    Cli cli = verify("SKD_MASTER", "SKD_CVPR19"); // whose gradient is another one
    assertEquals(1, cli.status());
    assertTrue(cli.out().contains(" f32 ") && cli.out().contains(" f64 "), cli.out());
    assertTrue(cli.out().endsWith("0 passed, 2 failed, 1 skipped\n"), cli.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'loss\": 0.5'|'loss\": 0.50001'",
        "'[0.12, 0.12, '|'[0.12, 0.12001, '",
        "'\"sum\": 0.56'|'\"sum\": 0.56001'",
        "'\"abs_sum\": 0.56'|'\"abs_sum\": 0.56001'",
        "'[0.12, 0.12]'|'[0.12, 0.12001]'",
        "'\"out_f64\"'|'\"out_f32\": {\"loss\": 0.51}, \"out_f64\"'"
      })
  void aPerturbedNumberFails(String text, String replacement) throws IOException {
    Cli cli = verify(text, replacement, "--dtype", "f32");
    assertEquals(1, cli.status(), cli.out());
    assertTrue(cli.out().startsWith("FAIL"), cli.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'\"pairwise\"'|'\"pear-wise\"'|this version has no op \"pear-wise\", it has: ",
        "'\"pairwise\"'|'\"pair_wise\"'|; did you mean \"pairwise\"?",
        "'\"pool\"'|'\"pols\"'|unknown option \"pols\"",
        "'\"NONE\"'|'\"SOME\"'|option \"pool\" is \"SOME\", expected one of MAX, NONE",
        "'\"SKD_MASTER\"'|'\"SKD_2030\"'|option \"preset\" is \"SKD_2030\", expected one of",
        "'\"pool\": \"NONE\"'|'\"scale\": 1.5'|fraction of the height is 1.5",
        "'\"pool\": \"NONE\"'|'\"scale\": \"big\"'|option \"scale\" is \"big\", expected a number",
        "'{\"loss\": 0.5}'|'{\"value\": 0.5}'|out_f64 holds \"value\", this op gives [loss]",
        "'\"grad\": {\"S\"'|'\"grad\": {\"T\"'|grad holds \"T\", this op gives [S]"
      })
  void whatIsNotUnderstoodFailsWithASentence(String text, String replacement, String sentence)
      throws IOException {
    Cli cli = verify(text, replacement, "--dtype", "f32");
    assertEquals(1, cli.status(), cli.out() + cli.err());
    assertTrue(cli.out().contains(sentence), cli.out());
    assertTrue(cli.out().endsWith("0 passed, 1 failed, 1 skipped\n"), cli.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'\"cases\"'|'\"case\"'|: key cases is missing",
        "'\"name\": \"two-nodes\", '|''|: case cases[0]: key name is missing",
        "'\"op\": null'|'\"ops\": null'|: case note: key op is missing",
        "'\"options\"'|'\"option\"'|: case two-nodes: key options is missing",
        "'\"preset\": \"SKD_MASTER\", '|''|: case two-nodes: key options.preset is missing",
        "'\"T\"'|'\"U\"'|: case two-nodes: key inputs.T is missing",
        "'{\"S\": [[[[3, 3]], [[4, 4]]]]'|'{\"S\": {\"a\": 1}'|: case two-nodes: key inputs.S.shape"
            + " is missing",
        "'[[3, 3]]'|'[[3, 3, 3]]'|: case two-nodes: key inputs.S[0] is ragged",
        "'[[3, 3]], [[4, 4]]'|'[[3]], [[4]]'|: case two-nodes: key inputs do not fit: pair-wise"
            + " loss: student [1, 2, 1, 1]",
        "'[1, 2, 1, 2]'|'[1, 2, 2, 1]'|: case two-nodes: key grad.S.shape is [1, 2, 2, 1], expected"
            + " [1, 2, 1, 2]",
        "'[0.12, 0.12, '|'[0.12, '|: case two-nodes: key grad.S.values has 3 entries, expected 4",
        "'\"out_f64\"'|'\"out\"'|: case two-nodes: key out_f32 is missing",
        "'0.5}'|'\"half\"}'|: case two-nodes: key out_f64.loss is \"half\", expected a finite"
            + " number",
        "']}'|']'|: is not JSON: ",
        "'{\"cases\"'|'\"cases\"'|: is not JSON: "
      })
  void aBadFileIsNamedWithCaseAndKey(String text, String replacement, String sentence)
      throws IOException {
    Cli cli = verify(text, replacement, "--dtype", "f32");
    assertEquals(2, cli.status(), cli.out());
    assertTrue(cli.err().startsWith("structkd: " + file + sentence), cli.err());
    assertEquals(1, cli.err().lines().count(), cli.err());
  }

  @Test
  void aMissingFileIsNamed() {
    Cli cli = Cli.run("verify-golden", file);
    assertEquals(2, cli.status());
    assertEquals("structkd: " + file + ": there is no such file\n", cli.err());
  }

  @Test
  void aFileCutOffAnywhereIsRefused() throws IOException {
    for (int length : new int[] {0, 1, 10, GOOD.length() / 2, GOOD.length() - 3}) {
      Files.writeString(file, GOOD.substring(0, length));
      Cli cli = Cli.run("verify-golden", file);
      assertEquals(2, cli.status(), cli.out());
      assertTrue(cli.err().startsWith("structkd: " + file + ": "), cli.err());
    }
  }

  @Test
  void casesOfOtherOpsAreSkipped() throws IOException {
    Cli cli = verify("", "", "--op", "pixelwise,global_structural");
    assertEquals(0, cli.status(), cli.out());
    assertTrue(cli.out().endsWith("0 passed, 0 failed, 2 skipped\n"), cli.out());
  }

  @Test
  void aBackendThatIsNotThereIsSaid() throws IOException {
    assumeFalse(NativeCall.of(NativeOps::cudaProblem).isEmpty(), "CUDA can be used here");
    Cli cli = verify("", "", "--backend", "cuda");
    assertEquals(2, cli.status());
    assertTrue(cli.err().contains("libstructkd_cuda.so"), cli.err());
    assertEquals(1, cli.err().lines().count(), cli.err());
  }

  @ParameterizedTest
  @CsvSource({"--backend, gpu", "--dtype, f16", "--op, pear-wise", "--color, red"})
  void wrongOptionsAreUsageErrors(String option, String value) throws IOException {
    Cli cli = verify("", "", option, value);
    assertEquals(2, cli.status(), cli.out());
    assertTrue(cli.err().contains(value) || cli.err().contains(option), cli.err());
  }

  @Test
  void helpShowsTheDefaults() {
    Cli cli = Cli.run("verify-golden", "--help");
    assertEquals(0, cli.status());
    for (String part :
        new String[] {
          "reference, cpu, cuda, cuda-emulated, composed", "Default: cpu", "f32, f64"
        }) {
      assertTrue(cli.out().replaceAll("\\s+", " ").contains(part), cli.out()); // lines wrap
    }
  }
}
