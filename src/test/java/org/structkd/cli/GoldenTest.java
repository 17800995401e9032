package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** All ops of this version against stored values, on all backends. */
class GoldenTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/golden.json");

  @ParameterizedTest
  @CsvSource({"reference, Float", "reference, Double", "cpu, Float", "cpu, Double"})
  void lossesGiveTheStoredValuesAndGradients(String backend, ScalarType dtype) {
    List<GoldenCase> cases = GoldenFile.read(GOLDEN);
    List<String> lines = new ArrayList<>();
    GoldenRun.Counts counts =
        new GoldenRun(backend, List.of(dtype), GoldenOp.ALL.keySet(), lines::add).run(cases);
    List<String> failures = lines.stream().filter(line -> line.startsWith("FAIL")).toList();
    assertEquals(List.of(), failures);
    for (String op : GoldenOp.ALL.keySet()) {
      assertTrue(
          lines.stream().anyMatch(line -> line.matches("OK .* " + op + " .*")),
          op + " ran nowhere");
    }
    long expected =
        cases.stream()
            .map(GoldenCase::op)
            .filter(Objects::nonNull)
            .filter(GoldenOp.ALL::containsKey)
            .count();
    assertEquals(expected, counts.passed());
    assertEquals(cases.size() - expected, counts.skipped());
  }
}
