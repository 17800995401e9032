package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.InScope;
import org.structkd.testing.ShortTraining;

/** Each kind of student learns in bf16 about what it learns in f32. */
@InScope(threads = 1)
class PrecisionRecipesTest {
  private static final Device CPU = new Device("cpu");

  /** A recipe for each kind of student, and what is changed for it, separated by semicolons. */
  private static final Map<String, String> RECIPES =
      Map.of(
          "kd", "student.deformable=true",
          "ratings", "student.rank=3",
          "rtk", "student.width=2",
          "garments-kd", "student={kind: wide_resnet, depth: 10, widening: 1}",
          "ensemble-regions",
              // At a stride of 32 its norms would see one position, of which bf16 keeps little.
              "student={kind: backbone_net, backbone: mobilenet_v2, head: classifier, width: 0.25, output_stride: 8};"
                  + "train.optimizer={kind: adam, rate: 0.0001}",
          "densenet-teacher", "student.growth=3",
          "sr-fakd", "student.width=4",
          "depth-pseudo-label", "student.width=2",
          "trajectory-hint", "student.width=8");

  static Stream<String> names() {
    return RECIPES.keySet().stream().sorted();
  }

  private static Recipe recipe(String name, String precision) {
    List<String> sets = new ArrayList<>(List.of(RECIPES.get(name).split(";")));
    sets.addAll(ShortTraining.sets(Recipes.load(name, sets, List.of())));
    sets.add("train.precision=" + precision);
    sets.add("train.checkpoint_every=0");
    return Recipes.load(name, sets, List.of());
  }

  /** The loss of each step, and at last the weights. */
  private static List<Double> losses(Recipe recipe, Set<String> weights) throws IOException {
    List<Double> losses = new ArrayList<>();
    try (Experiment experiment = Experiment.of(recipe, CPU);
        TrainableNetwork student = experiment.student(1)) {
      experiment
          .distiller(experiment.objective(), 1)
          .withListener(onStep(loss -> losses.add(loss.value())))
          .train(student);
      weights.add(student.fingerprint());
    }
    return losses;
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyKindOfStudentLearns(String name) throws IOException {
    Set<String> weights = new HashSet<>();
    List<Double> full = losses(recipe(name, "f32"), weights);
    List<Double> half = losses(recipe(name, "bf16"), weights);
    assertEquals(ShortTraining.STEPS, half.size());
    for (int step = 0; step < half.size(); step++) {
      assertEquals(full.get(step), half.get(step), 0.1 * Math.abs(full.get(step)), "step " + step);
    }
  }

  @Test
  void theseAreAllKinds() {
    Set<Class<?>> kinds = new HashSet<>();
    names().forEach(name -> kinds.add(recipe(name, "bf16").student().getClass()));
    kinds.add(TrainedSettings.class); // a network of any of these kinds
    assertEquals(Set.of(StudentSettings.class.getPermittedSubclasses()), kinds);
    assertNotEquals(recipe("kd", "f32"), recipe("kd", "bf16"));
  }
}
