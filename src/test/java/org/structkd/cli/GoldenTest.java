package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** All ops of this version against stored values, on all backends. */
class GoldenTest {
  private static final Path FOLDER = Path.of("src/test/resources/golden");

  @ParameterizedTest
  @CsvSource({
    "golden.json, reference, Float",
    "golden.json, reference, Double",
    "golden.json, cpu, Float",
    "golden.json, cpu, Double",
    "variants.json, reference, Float",
    "variants.json, reference, Double",
    "variants.json, cpu, Float",
    "variants.json, cpu, Double"
  })
  void lossesGiveTheStoredValuesAndGradients(String file, String backend, ScalarType dtype) {
    List<GoldenCase> cases = GoldenFile.read(FOLDER.resolve(file));
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

  @Test
  void whereNoKernelRunsTheLineSaysSo() {
    List<String> lines = new ArrayList<>();
    new GoldenRun(
            "reference", List.of(ScalarType.Float), Set.of("inter_class_similarity"), lines::add)
        .run(GoldenFile.read(FOLDER.resolve("variants.json")));
    for (String line : lines) {
      if (!line.startsWith("SKIP")) {
        assertEquals(
            !line.contains(" icsd_paper"),
            line.endsWith("(composition: the backend is ignored)"),
            line);
      }
    }
  }
}
