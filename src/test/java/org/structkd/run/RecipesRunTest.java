package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.structkd.testing.SmallTrainings.atStep;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.DataCache;
import org.structkd.data.DataFileException;
import org.structkd.data.PackagedData;
import org.structkd.model.ResNet;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;
import org.structkd.testing.InScope;
import org.structkd.testing.MadeSpeech;
import org.structkd.testing.ShortTraining;
import org.structkd.train.AtomicFile;
import org.structkd.train.MetricsCsv;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingListener;

/**
 * Every recipe of this library, as {@code distill} runs it but shorter: it ends with a report and
 * pictures, and a run that is killed on the way and resumed ends with the same bits. Recordings and
 * their teacher are stood in for. Other data of packages are no recipe's own: these runs are
 * skipped where they are missing, and say which command fetches them.
 */
@InScope(threads = 1)
class RecipesRunTest {
  /** The step in which a run is killed: the log has the one before it, no checkpoint has either. */
  private static final long KILLED_AT = ShortTraining.CHECKPOINT_EVERY + 1;

  private static final Device CPU = new Device("cpu");

  @TempDir private Path temp;

  /** All, and data of people, which no recipe of this library takes by itself. */
  static Stream<RecipeSource> sources() {
    return Stream.concat(
        Recipes.names().stream().map(name -> new RecipeSource(name, List.of(), List.of())),
        Stream.of(
            new RecipeSource("sr-teacher", List.of("data.source=photos"), List.of()),
            new RecipeSource(
                "sr-teacher", List.of("data.source=faces", "data.patch=24"), List.of()),
            new RecipeSource(
                "trajectory-teacher",
                List.of("data.source=tracks", "data.seconds=0.2"),
                List.of())));
  }

  @ParameterizedTest
  @MethodSource("sources")
  void killedAndResumedARecipeEndsAsUninterrupted(RecipeSource source) throws IOException {
    RecipeSource brief =
        source.with(ShortTraining.sets(source.load())).with(standIns(source.nameOrFile()));
    Recipe recipe = brief.load();
    RunSettings settings = new RunSettings("distill", List.of(recipe.name()), 1, 1, 1, Map.of());
    Path whole = temp.resolve("whole");
    List<Path> copies = new ArrayList<>();
    try (Distillation work = work(brief, settings, CPU, name -> copying(whole, copies));
        RunFolder folder = RunFolder.create(whole, settings, List.of(recipe))) {
      work.run(folder);
    }
    // Of several trainings a later one, which begins with what those before it left.
    Path killed = copies.get(copies.size() * 3 / 4);
    assertFalse(Files.exists(killed.resolve("report.html")), "it was killed too late");
    String file = killed.resolve("recipe.yaml").toString();
    RecipeSource own = new RecipeSource(file, List.of(), List.of());
    try (Distillation work = work(own, settings, CPU, name -> new TrainingListener() {});
        RunFolder folder = RunFolder.open(killed)) {
      work.run(folder);
    }
    requireEqual(whole, killed);
    requireReport(killed, copies.size());
  }

  /** Tones for recordings, and a teacher of random weights for the one that another run leaves. */
  private List<String> standIns(String recipe) throws IOException {
    if (!recipe.equals("speech-teacher") && !recipe.equals("arkd-audio")) {
      return List.of();
    }
    Path voices = temp.resolve("voices");
    List<String> names = List.of("a", "b", "c", "d");
    MadeSpeech.write(voices, names, 25);
    List<String> sets = new ArrayList<>(List.of("data.directory=" + voices));
    if (recipe.equals("arkd-audio")) {
      Path file = temp.resolve("teacher.safetensors");
      try (ResNet teacher = new ResNet(new ResNet.Config(1, 8, 4, names.size()), 1)) {
        AtomicFile.write(file, teacher.toFile(Map.of())::write);
      }
      sets.add("teacher.file=" + file);
    }
    return sets;
  }

  /** The work of a recipe; without its data the test that asks is skipped. */
  static Distillation work(
      RecipeSource source,
      RunSettings settings,
      Device device,
      Function<String, TrainingListener> progress)
      throws IOException {
    PrintWriter nobody = new PrintWriter(new StringWriter());
    RunContext context = new RunContext(nobody, new StopSignal(), device, Resume.LONGER, progress);
    try {
      return new Distillation(source, settings, context);
    } catch (DataFileException e) {
      for (PackagedData data : PackagedData.all()) {
        String command = "./structkd data " + data.name();
        if (e.getMessage().contains(command) && !DataCache.ofUser().has(data)) {
          abort(source.nameOrFile() + " is left out: run " + command + " and this test again");
        }
      }
      throw e;
    }
  }

  /** Keeps what a process that is killed in this training leaves of a run. */
  private TrainingListener copying(Path run, List<Path> copies) {
    Path copy = temp.resolve("killed-" + copies.size());
    copies.add(copy);
    return atStep(
        KILLED_AT,
        () -> {
          try (Stream<Path> files = Files.list(run)) {
            Files.createDirectory(copy);
            for (Path file : files.toList()) {
              Files.copy(file, copy.resolve(file.getFileName()));
            }
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  private static void requireEqual(Path whole, Path killed) throws IOException {
    int students = 0;
    for (String name : List.of("metrics.csv", "alone-1.safetensors", "distilled-1.safetensors")) {
      assertEquals(Files.exists(whole.resolve(name)), Files.exists(killed.resolve(name)), name);
      if (Files.exists(whole.resolve(name))) {
        assertArrayEquals(
            Files.readAllBytes(whole.resolve(name)),
            Files.readAllBytes(killed.resolve(name)),
            name);
        students += name.endsWith(".safetensors") ? 1 : 0;
      }
    }
    assertTrue(students > 0, "no student was written");
  }

  private static void requireReport(Path folder, int trainings) throws IOException {
    List<MetricsCsv.Row> rows = MetricsCsv.read(folder.resolve(TrainingRun.METRICS));
    assertEquals(trainings, rows.stream().map(MetricsCsv.Row::training).distinct().count());
    for (MetricsCsv.Row row : rows) {
      assertTrue(Double.isFinite(row.validation()), row.toString());
    }
    String report = Files.readString(folder.resolve("report.html"));
    int pictures = report.split("<img ", -1).length - 1; // curves, and samples in one or in parts
    assertTrue(pictures >= 2, "report.html has " + pictures + " pictures");
    assertEquals(pictures, report.split("src=\"data:image/png;base64,", -1).length - 1);
    for (String picture : List.of("samples.png", "curves.png")) {
      assertNotNull(ImageIO.read(folder.resolve(picture).toFile()), picture);
    }
  }
}
