package org.structkd.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.StructkdException;

/** All ops of this version against stored values, on all backends. */
class GoldenTest {
  private static final Path FOLDER = Path.of("src/test/resources/golden");

  private static List<String> files() {
    try (Stream<Path> variants = Files.list(FOLDER.resolve("variants"))) {
      return Stream.concat(
              Stream.of("golden.json"),
              variants
                  .map(file -> FOLDER.relativize(file).toString())
                  .filter(name -> name.endsWith(".json"))
                  .sorted())
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Stream<Arguments> runs() {
    return files().stream()
        .flatMap(
            file ->
                Stream.of(Backend.values())
                    .flatMap(
                        backend ->
                            Stream.of(ScalarType.Float, ScalarType.Double)
                                .map(dtype -> Arguments.of(file, backend, dtype))));
  }

  /** A backend that this machine or build does not have is skipped, and its reason shown. */
  private static void requireAvailable(Backend backend) {
    try (Backend.Use use = backend.use()) {
      return;
    } catch (StructkdException e) {
      abort(e.getMessage());
    }
  }

  @ParameterizedTest
  @MethodSource("runs")
  void lossesGiveTheStoredValuesAndGradients(String file, Backend backend, ScalarType dtype) {
    requireAvailable(backend);
    List<GoldenCase> cases = GoldenFile.read(FOLDER.resolve(file));
    List<String> lines = new ArrayList<>();
    GoldenRun.Counts counts =
        new GoldenRun(backend, List.of(dtype), GoldenOp.ALL.keySet(), lines::add).run(cases);
    List<String> failures = lines.stream().filter(line -> line.startsWith("FAIL")).toList();
    assertEquals(List.of(), failures);
    List<String> ran = lines.stream().filter(line -> line.startsWith("OK")).toList();
    for (GoldenCase golden : cases) {
      String op = golden.op();
      boolean skipped =
          lines.stream().anyMatch(line -> line.startsWith("SKIP  " + golden.name() + " "));
      assertEquals(op == null || !GoldenOp.ALL.containsKey(op), skipped, golden.name());
    }
    assertEquals(ran.size(), counts.passed());
    assertEquals(cases.size() - ran.size(), counts.skipped());
  }

  @Test
  void whereNoKernelRunsTheLineSaysSo() {
    List<String> lines = new ArrayList<>();
    new GoldenRun(
            Backend.REFERENCE,
            List.of(ScalarType.Float),
            Set.of("inter_class_similarity"),
            lines::add)
        .run(GoldenFile.read(FOLDER.resolve("variants/inter_class_similarity.json")));
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
