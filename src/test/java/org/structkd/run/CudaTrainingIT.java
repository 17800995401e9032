package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.StructkdException;
import org.structkd.internal.CudaLibraries;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.loss.Loss;
import org.structkd.loss.Losses;
import org.structkd.model.TrainableNetwork;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;
import org.structkd.testing.InScope;
import org.structkd.testing.OnBackend;
import org.structkd.testing.ShortTraining;
import org.structkd.testing.Tf32;
import org.structkd.train.TrainingListener;

/**
 * Trainings on the CUDA kernels beside those on the CPU: of CUDA tensors, and of CPU tensors as the
 * emulator runs the kernels. Each is skipped, with the reason, where it cannot be.
 */
@InScope(threads = 1)
class CudaTrainingIT {
  /** Together they have every loss with a kernel. */
  private static final Map<String, List<String>> RECIPES =
      Map.of(
          CudaTrainingIT.class.getResource("/recipe/kernels.yaml").getPath(),
          List.of(),
          "ratings",
          List.of("train.steps=20", "train.optimizer={kind: sgd, rate: 0.05, momentum: 0.9}"));

  @TempDir private Path folder;

  /** Steps whose losses differ by rounding alone, before a ReLU opens for one network alone. */
  private static final int FIRST_STEPS = 5;

  /**
   * How far a loss may be from the CPU's when rounding has opened a ReLU for one of two networks,
   * ten times what 20 steps made of it: on one CPU it came at step 9, on others not at all.
   */
  private static final double PARTED = 1e-3;

  /** Where CUDA kernels run, and how far losses of the first steps may be from the CPU's. */
  enum Where {
    /** Losses alone are computed elsewhere: ten times what their rounding was. */
    EMULATED("cpu", 1e-6),
    /** Convolutions, too, are those of another library. */
    GPU("cuda", 1e-4);

    private final String device;
    private final double tolerance;

    Where(String device, double tolerance) {
      this.device = device;
      this.tolerance = tolerance;
    }

    void assume() {
      String problem = this == GPU ? NativeCall.of(NativeOps::cudaProblem) : problemOfEmulator();
      assumeTrue(problem.isEmpty(), problem);
    }

    private static String problemOfEmulator() {
      try {
        CudaLibraries.openEmulator();
        return "";
      } catch (StructkdException e) {
        return e.getMessage();
      }
    }

    <T> T compute(Supplier<T> computation) {
      if (this == EMULATED) {
        return OnBackend.of("cuda-emulated", computation);
      }
      try (Tf32 exact = Tf32.off()) {
        return computation.get();
      }
    }
  }

  static Stream<Arguments> recipesAnywhere() {
    return RECIPES.keySet().stream()
        .sorted()
        .flatMap(recipe -> Stream.of(Where.values()).map(where -> Arguments.of(recipe, where)));
  }

  static Stream<String> recipes() {
    return RECIPES.keySet().stream().sorted();
  }

  private static Recipe load(String name, String... more) {
    List<String> sets = new ArrayList<>(RECIPES.get(name));
    sets.add("train.checkpoint_every=0");
    sets.addAll(List.of(more));
    return Recipes.load(name, sets, List.of());
  }

  private static List<Double> losses(Recipe recipe, String device) {
    List<Double> losses = new ArrayList<>();
    try (Experiment experiment = Experiment.of(recipe, new Device(device));
        TrainableNetwork student = experiment.student(1)) {
      student.to(new Device(device));
      experiment
          .distiller(experiment.objective(), 1)
          .withListener(onStep(loss -> losses.add(loss.value())))
          .train(student);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return losses;
  }

  @ParameterizedTest
  @MethodSource("recipesAnywhere")
  void lossesOfTwentyStepsAreThoseOfTheCpu(String name, Where where) {
    where.assume();
    Recipe recipe = load(name);
    List<Double> expected = losses(recipe, "cpu");
    List<Double> found = where.compute(() -> losses(recipe, where.device));
    String plan = NativeCall.of(NativeOps::lastPlan);
    assertTrue(plan.contains("cuda"), plan);
    assertClose(expected, found, where.tolerance);
    assertEquals(20, expected.size());
  }

  private static void assertClose(List<Double> expected, List<Double> found, double tolerance) {
    assertEquals(expected.size(), found.size());
    for (int step = 0; step < expected.size(); step++) {
      double share = step < FIRST_STEPS ? tolerance : Math.max(tolerance, PARTED);
      double most = share * Math.abs(expected.get(step));
      assertEquals(expected.get(step), found.get(step), most, "step " + step);
    }
  }

  /** As far from f32 as on the CPU. */
  @ParameterizedTest
  @MethodSource("recipes")
  void aGpuTrainsInBf16(String name) {
    Where.GPU.assume();
    List<Double> full = losses(load(name), "cuda");
    List<Double> half = losses(load(name, "train.precision=bf16"), "cuda");
    assertClose(full, half, 0.1);
  }

  @Test
  void theseRecipesHaveEveryLossWithAKernel() {
    List<Loss> losses =
        recipes()
            .flatMap(name -> load(name).losses().values().stream())
            .map(term -> term.term().loss())
            .toList();
    for (Losses.Entry entry : Losses.all()) {
      assertTrue(
          entry.kind() != Losses.Kind.KERNEL || losses.stream().anyMatch(entry.type()::isInstance),
          entry.id());
    }
  }

  static Stream<RecipeSource> allRecipes() {
    return RecipesRunTest.sources();
  }

  /** As {@code distill --device cuda} does: with evaluations, checkpoints and a report. */
  @ParameterizedTest
  @MethodSource("allRecipes")
  void everyRecipeRunsOnAGpu(RecipeSource source) throws IOException {
    Where.GPU.assume();
    RecipeSource brief = source.with(ShortTraining.sets(source.load()));
    List<Recipe> recipe = List.of(brief.load());
    RunSettings settings =
        new RunSettings("distill", List.of(source.nameOrFile()), 1, 1, 1, Map.of());
    try (Distillation work =
            RecipesRunTest.work(
                brief, settings, new Device("cuda"), name -> new TrainingListener() {});
        RunFolder run = RunFolder.create(folder.resolve("run"), settings, recipe)) {
      work.run(run);
    }
    assertTrue(Files.exists(folder.resolve("run/report.html")));
  }
}
