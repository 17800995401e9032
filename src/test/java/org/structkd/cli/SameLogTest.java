package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.train.MetricsCsv;

/**
 * The logs of the recipes of the publications, 40 steps, stay what they were, byte for byte: a
 * change of theirs is a change of a training. Another processor gives other bits, so that there
 * only the first loss of the distilled student is looked at.
 */
class SameLogTest {
  /**
   * On which the checksums were made: family and model of AMD's EPYC with AVX-512, and with AVX2.
   */
  private static final List<String> PROCESSORS = List.of("25 17", "23 1");

  private static final Pattern NUMBERS =
      Pattern.compile("^cpu family\\s*: (\\d+)\\nmodel\\s*: (\\d+)$", Pattern.MULTILINE);

  @TempDir private Path temp;

  @ParameterizedTest
  @CsvSource({
    "kd, 128, 8.586439, 87729e5e9c2755d2, fc694d096ac169e8",
    "pairwise, 0, 1.71678, 793acf1436e3cca4, 77946d3488371bf9",
    "inter_class_similarity, 128, 1.70425, cf528122237071d8, 3374bbc218e4689a",
    "global_structural, 0, 1.7469435, 92a7f2f5f582ed4c, 2246e87202da11dd",
    "skd, 128, 8.594431, 54fa16d1de0c011b, 2ec233aa2d05535b",
    "icsd, 0, 5.728821, 035b34dfd92f6fe9, ef75245eaf9d389e",
    "gsskd, 128, 8.610318, 49b85420b9404af0, 63e6ef44196c04a8"
  })
  void fortySteps(String recipe, int labelled, double total, String avx512, String avx2)
      throws Exception {
    Path folder = temp.resolve("run");
    Cli cli =
        Cli.run(
            "distill",
            "--recipe=" + recipe,
            "--steps=40",
            "--seeds=1",
            "--threads=1",
            "--set=data.labelled=" + labelled,
            "--set=data.test=1",
            "--out=" + folder);
    assertEquals(0, cli.status(), cli.err());
    Path log = folder.resolve("metrics.csv");
    MetricsCsv.Row first =
        MetricsCsv.read(log).stream()
            .filter(row -> row.training().equals("distilled-1"))
            .findFirst()
            .orElseThrow();
    assertEquals(total, first.total(), 0.01 * total);
    int known = PROCESSORS.indexOf(processor());
    assumeTrue(known >= 0, "other bits on another processor");
    String checksum = List.of(avx512, avx2).get(known);
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(log));
    assertEquals(checksum, HexFormat.of().formatHex(digest, 0, 8), Files.readString(log));
  }

  /** Family and model; empty where the system does not tell them. */
  private static String processor() throws IOException {
    Path file = Path.of("/proc/cpuinfo");
    if (!Files.exists(file)) {
      return "";
    }
    Matcher numbers = NUMBERS.matcher(Files.readString(file));
    return numbers.find() ? numbers.group(1) + " " + numbers.group(2) : "";
  }
}
