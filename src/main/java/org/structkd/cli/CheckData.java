package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.structkd.data.Dataset;
import org.structkd.data.ImageFiles;
import org.structkd.data.ImageFindings;
import org.structkd.data.Split;
import org.structkd.recipe.DataSettings;
import org.structkd.run.RunException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Reads every file of a recipe's data. */
@Command(
    name = "check-data",
    description = {
      "Read every photograph and mask of a recipe's image files: tells what is broken, how often each"
          + " class occurs, and the mean and deviation of the colours. Writes nothing.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:all files are whole",
      "1:some are broken, or the disk failed",
      "2:the recipe makes no sense or has other data"
    })
final class CheckData implements Callable<Integer> {
  /** How often it is told how far the reading is, in photographs. */
  private static final long TOLD_EVERY = 1024;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE|NAME", description = "Recipe whose data to check.")
  private String recipe;

  @Mixin private RecipeOptions options;

  @Override
  public Integer call() throws IOException {
    Dataset data = data();
    if (!(data instanceof ImageFiles files)) {
      throw RunException.refused(
          recipe
              + " has other data than image_files, which are checked whenever they are loaded:"
              + " recipes check does that");
    }
    PrintWriter out = spec.commandLine().getOut();
    ImageFindings found =
        files.check(
            done -> {
              if (done % TOLD_EVERY == 0) {
                out.printf("%d photographs read%n", done);
                out.flush();
              }
            });
    tell(out, files, found);
    out.flush();
    return found.faults().isEmpty() ? 0 : 1;
  }

  private Dataset data() throws IOException {
    DataSettings settings = options.of(recipe).load().data();
    try {
      return settings.load();
    } catch (IllegalArgumentException e) {
      throw RunException.refused("recipe " + recipe + ": " + e.getMessage());
    }
  }

  private static void tell(PrintWriter out, ImageFiles files, ImageFindings found) {
    found.faults().forEach(out::println);
    for (Split split : Split.values()) {
      out.printf("%-10s %d photographs%n", split, found.photographs()[split.ordinal()]);
    }
    if (found.smallest() == null) {
      return;
    }
    out.printf(
        "sizes      %d x %d to %d x %d%n%n",
        found.smallest().height(),
        found.smallest().width(),
        found.largest().height(),
        found.largest().width());
    histogram(out, files.classNames(), found);
    out.printf("%nmean: %s%n", numbers(found.mean()));
    out.printf("deviation: %s%n%n", numbers(found.deviation()));
    int broken = found.faults().size();
    out.println(
        broken == 0 ? "all files are whole" : broken + (broken == 1 ? " is" : " are") + " broken");
  }

  /** Share of each class among the pixels that count; of those that do not, among all. */
  private static void histogram(PrintWriter out, List<String> classes, ImageFindings found) {
    int width = Math.max("do not count".length(), longest(classes));
    out.printf("%-" + width + "s", "% of pixels");
    for (Split split : Split.values()) {
      out.printf("  %10s", split);
    }
    out.println();
    long[] counted =
        Arrays.stream(found.pixels()).mapToLong(of -> Arrays.stream(of).sum()).toArray();
    for (int label = 0; label < classes.size(); label++) {
      out.printf("%-" + width + "s", classes.get(label));
      for (Split split : Split.values()) {
        int at = split.ordinal();
        out.printf("  %10.3f", 100.0 * found.pixels()[at][label] / Math.max(1, counted[at]));
      }
      out.println();
    }
    out.printf("%-" + width + "s", "do not count");
    for (Split split : Split.values()) {
      int at = split.ordinal();
      long all = counted[at] + found.ignored()[at];
      out.printf("  %10.3f", 100.0 * found.ignored()[at] / Math.max(1, all));
    }
    out.println();
  }

  private static int longest(List<String> names) {
    return names.stream().mapToInt(String::length).max().orElse(0);
  }

  private static String numbers(double[] values) {
    return String.format(Locale.ROOT, "[%.4f, %.4f, %.4f]", values[0], values[1], values[2]);
  }
}
