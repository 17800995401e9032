package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.train.Environment;
import org.structkd.train.MetricsCsv;

/**
 * The logs of the recipes of the publications, 40 steps, stay what they were, byte for byte: a
 * change of theirs is a change of a training. Another processor gives other bits, so that there
 * only the first loss of the distilled student is looked at.
 */
class SameLogTest {
  /** On which the checksums were made. */
  private static final String PROCESSOR = "AMD EPYC";

  @TempDir private Path temp;

  @ParameterizedTest
  @CsvSource({
    "kd, 128, 8.586439, 87729e5e9c2755d2",
    "pairwise, 0, 1.71678, 793acf1436e3cca4",
    "inter_class_similarity, 128, 1.70425, cf528122237071d8",
    "global_structural, 0, 1.7469435, 92a7f2f5f582ed4c",
    "skd, 128, 8.594431, 54fa16d1de0c011b",
    "icsd, 0, 5.728821, 035b34dfd92f6fe9",
    "gsskd, 128, 8.610318, 49b85420b9404af0"
  })
  void fortySteps(String recipe, int labelled, double total, String checksum) throws Exception {
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
    assumeTrue(Environment.processor().equals(PROCESSOR), "other bits on another processor");
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(log));
    assertEquals(checksum, HexFormat.of().formatHex(digest, 0, 8), Files.readString(log));
  }
}
