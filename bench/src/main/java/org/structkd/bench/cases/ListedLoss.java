package org.structkd.bench.cases;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What bench/cases.json holds of one loss, the one list of sizes for all benches; bench/README.md
 * says what its fields mean.
 *
 * @param title of its table in the report
 * @param inputs "features", "logits" or "labels", which are logits with labels
 * @param x which size figures are plotted over: "pixels", "nodes", "classes" or "samples"
 * @param small a size that takes no time
 */
public record ListedLoss(
    String title, String inputs, String x, String small, Group cpu, Group gpu) {
  private static final String FILE = "/cases.json"; // of the class path, so that a jar has it, too

  /**
   * {@return all losses by their ids, in the order of the file}
   *
   * @throws UncheckedIOException if the file cannot be read, or has a key that no bench reads
   */
  public static Map<String, ListedLoss> all() {
    try (InputStream file = ListedLoss.class.getResourceAsStream(FILE)) {
      return new ObjectMapper()
          .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .readValue(file, new TypeReference<LinkedHashMap<String, ListedLoss>>() {});
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + FILE, e);
    }
  }

  /**
   * What is measured on one kind of processor.
   *
   * @param alignedProviders who takes part where maps are aligned; all if the file says nothing
   */
  public record Group(List<String> providers, List<String> alignedProviders, List<Case> cases) {
    public Group {
      alignedProviders = alignedProviders == null ? providers : alignedProviders;
    }
  }

  /**
   * One size.
   *
   * @param name as "8x512x64x64-aligned"
   * @param quick whether --quick measures it, too
   * @param floor least ratio of eager to structkd that --gate passes, well below what the slowest
   *     machine gave, as the ratio differs with the machine's memory and vectors; 0: none
   * @param variants element types, or "fast", in which structkd_cuda_bench measures it
   * @param kernelsOnly whether no bench but structkd_cuda_bench measures it
   * @param without providers that have no such mode, or that this size is too large for
   * @param noTarget why there are no targets
   */
  public record Case(
      String name,
      boolean quick,
      double floor,
      List<String> variants,
      boolean kernelsOnly,
      List<String> without,
      List<Target> targets,
      String noTarget) {
    public Case {
      variants = variants == null ? List.of("f32") : variants;
      without = without == null ? List.of() : without;
      targets = targets == null ? List.of() : targets;
    }
  }

  /**
   * What is asked at one size; a number is 0 where nothing is asked.
   *
   * @param baseline the provider that the ratio is to
   * @param ratio least one, on the machine that targets are written for
   * @param ms about what a call takes there
   * @param percentOfLimit least share of the limit of any machine
   * @param mib peak memory of a call at most
   * @param missed why a machine misses it, or how to read it; null where nothing is to be said
   * @param variant which of the case's variants the times on GPUs are for
   */
  public record Target(
      String baseline,
      double ratio,
      double ms,
      double percentOfLimit,
      double mib,
      String missed,
      String variant,
      double h200Ms,
      double h100Ms,
      double a100Ms) {}
}
