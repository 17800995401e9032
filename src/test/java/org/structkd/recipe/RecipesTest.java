package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.compress.Pruning;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.Distance;
import org.structkd.loss.Losses;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.loss.Pooling;
import org.structkd.loss.RegressionLoss;
import org.structkd.optim.Adam;
import org.structkd.optim.Schedule;
import org.structkd.train.TeacherCache;
import org.structkd.train.TrainingConfig;

/** What recipes become, what they print, and what is said of those that make no sense. */
class RecipesTest {
  private static final String SMALLEST =
      """
      data: {kind: fashion_scenes}
      student: {kind: segmentation_net, width: 3}
      losses:
        supervised: {loss: cross_entropy, on: upsampled, weight: 1}
      train: {steps: 40, optimizer: {kind: adam, rate: 0.02}}
      metric: {kind: segmentation, on: upsampled}
      """;

  @TempDir private Path folder;

  private Path file(String name, String yaml) throws IOException {
    return Files.writeString(folder.resolve(name), yaml);
  }

  private Recipe read(String yaml, String... sets) throws IOException {
    return Recipes.load(file("mine.yaml", yaml).toString(), List.of(sets), List.of());
  }

  static List<String> names() {
    return Recipes.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void whatARecipePrintsIsTheSameRecipe(String name) throws IOException {
    Recipe recipe = Recipes.load(name);
    assertEquals(name, recipe.name());
    assertFalse(recipe.summary().isEmpty());
    assertEquals(recipe, read(recipe.toYaml()));
    assertEquals(recipe.toYaml(), read(recipe.toYaml()).toYaml());
  }

  @Test
  void presentMethodsAreRecipes() {
    assertTrue(
        Recipes.names()
            .containsAll(
                List.of(
                    "fashion-teacher",
                    "global_structural",
                    "gsskd",
                    "icsd",
                    "inter_class_similarity",
                    "kd",
                    "pairwise",
                    "skd")));
  }

  @Test
  void aRecipeIsMadeOfTheRecordsThatJavaUsersBuild() {
    Recipe skd = Recipes.load("skd");
    assertEquals(
        List.of("supervised", "pixelwise", "pairwise"), List.copyOf(skd.losses().keySet()));
    TermSettings pairwise = skd.losses().get("pairwise");
    assertEquals(PairwiseLoss.skdCvpr19(), pairwise.term().loss());
    assertEquals("features", pairwise.term().studentTaps().get("features"));
    assertEquals(0.15625, pairwise.weight().weight());
    assertEquals(PixelwiseLoss.kd(), skd.losses().get("pixelwise").term().loss());
    assertEquals(
        TrainingConfig.of(1000, 0.01).withEvaluateEvery(100).withCheckpointEvery(100), skd.train());
  }

  @Test
  void defaultsAreFilledIn() throws IOException {
    Recipe recipe = read(SMALLEST);
    assertEquals("mine", recipe.name());
    assertEquals("", recipe.source());
    assertEquals(new FashionScenesSettings(), recipe.data());
    assertEquals(new Adam(0.02), recipe.train().optimizer());
    assertEquals(Schedule.poly(), recipe.train().schedule());
    assertEquals(10, recipe.train().evaluateEvery());
    assertEquals(List.of(recipe), recipe.trainings());
  }

  @Test
  void aValueCanBeSet() {
    Recipe recipe =
        Recipes.load(
            "skd",
            List.of(
                "losses.pairwise.weight=1",
                "losses.pairwise.pooling={kind: max, size: kernel, height: 2, width: 2}",
                "train.steps=2e3",
                "train.optimizer.rate=0.1",
                "losses.pixelwise=null"),
            List.of());
    assertEquals(Set.of("supervised", "pairwise"), recipe.losses().keySet());
    assertEquals(1, recipe.losses().get("pairwise").weight().weight());
    assertEquals(
        PairwiseLoss.skdCvpr19().withPooling(Pooling.max(2, 2)),
        recipe.losses().get("pairwise").term().loss());
    assertEquals(2000, recipe.train().steps());
    assertEquals(200, recipe.train().evaluateEvery());
    assertEquals(new Adam(0.1), recipe.train().optimizer());
  }

  @Test
  void aChoiceWithinALossCanBeSet() throws IOException {
    List<String> set =
        List.of(
            "losses.ratings.distance={kind: berhu, share: 0.5}",
            "losses.supervised.distance={kind: smooth}",
            "losses.supervised.valid={kind: except, value: -1}");
    Recipe recipe = Recipes.load("ratings", set, List.of());
    assertEquals(
        new RegressionLoss("teacher", new Distance.Berhu(0.5), new RegressionLoss.Valid.All()),
        recipe.losses().get("ratings").term().loss());
    assertEquals(
        new RegressionLoss("ratings", new Distance.Smooth(), new RegressionLoss.Valid.Except(-1)),
        recipe.losses().get("supervised").term().loss());
    assertEquals(recipe.losses(), read(recipe.toYaml()).losses());
  }

  @Test
  void aLossCanBeAdded() {
    TermSettings added =
        Recipes.load("kd", List.of("losses.pairwise.eps=1e-6"), List.of("pairwise:cirkd=0.5"))
            .losses()
            .get("pairwise");
    assertEquals(PairwiseLoss.cirkd().withEps(PairwiseLoss.EpsMode.MAX, 1e-6), added.term().loss());
    assertEquals("features", added.term().teacherTaps().get("features"));
    assertEquals(0.5, added.weight().weight());
  }

  @Test
  void weightsMoveAsTheyDid() {
    Recipe icsd = Recipes.load("icsd", List.of("train.steps=1000"), List.of());
    WeightSettings falling = icsd.losses().get("pixelwise").weight();
    WeightSettings rising = icsd.losses().get("inter_class_similarity").weight();
    assertInstanceOf(WeightSettings.Falling.class, falling);
    assertEquals(5, falling.schedule(1000).at(19)); // 50 moves, one in 20 steps
    assertEquals((1 - 1 / 50.0) * 5, falling.schedule(1000).at(20));
    assertEquals(0, rising.schedule(1000).at(19));
    assertEquals(49 / 50.0 * 0.00015625, rising.schedule(1000).at(999));
    assertEquals(
        0.4 * 5, falling.schedule(40).at(30), 1e-12); // one in one step, 50 are not reached
  }

  @Test
  void aWeightCanWarmUp() {
    Recipe kd =
        Recipes.load(
            "kd",
            List.of("losses.pixelwise.weight={kind: warmup, weight: 2, steps: 4}"),
            List.of());
    WeightSettings weight = kd.losses().get("pixelwise").weight();
    double[] expected = {0.5, 1, 1.5, 2, 2};
    for (int step = 0; step < expected.length; step++) {
      assertEquals(expected[step], weight.schedule(1000).at(step), 1e-15);
    }
    assertTrue(kd.toYaml().contains("{kind: warmup, weight: 2, steps: 4}"), kd.toYaml());
  }

  @Test
  void tapsAreWiredByRole() throws IOException {
    String term = "losses.more={loss: global_structural, preset: standard, weight: 1, on: ";
    TermSettings one = read(SMALLEST, term + "wide}").losses().get("more");
    assertEquals("wide", one.term().studentTaps().get("features"));
    assertEquals("wide", one.term().teacherTaps().get("features"));
    assertEquals("logits", one.term().teacherTaps().get("logits"));
    TermSettings each =
        read(SMALLEST, term + "{student: own, teacher: {features: f, logits: big.logits}}}")
            .losses()
            .get("more");
    assertEquals("own", each.term().studentTaps().get("features"));
    assertEquals("f", each.term().teacherTaps().get("features"));
    assertEquals("big.logits", each.term().teacherTaps().get("logits"));
  }

  /** Losses of several layers take a single tap, too. */
  @Test
  void aTapIsAListOfOne() {
    for (String on : List.of("logits", "[logits]", "{features: logits}", "{features: [logits]}")) {
      String term =
          "losses.attention={loss: attention_transfer, preset: standard, weight: 1, on: %s}";
      Recipe recipe = Recipes.load("kd", List.of(term.formatted(on)), List.of());
      assertEquals(
          Map.of("features.0", "logits"), recipe.losses().get("attention").term().studentTaps());
    }
    assertEquals(
        Map.of("features.0", "features"),
        Recipes.load("kd", List.of(), List.of("attention_transfer:standard=1"))
            .losses()
            .get("attention_transfer")
            .term()
            .studentTaps());
  }

  @Test
  void ignoreIndexIsTheLosssOwnWhereItHasOne() throws IOException {
    Recipe recipe =
        read(
            SMALLEST,
            "losses.supervised.ignore_index=7",
            "losses.more={loss: pixelwise, preset: kd, weight: 1, ignore_index: 8,"
                + " resize_teacher: true}");
    assertEquals(new CrossEntropyLoss(7), recipe.losses().get("supervised").term().loss());
    assertEquals(OptionalLong.empty(), recipe.losses().get("supervised").term().ignoreIndex());
    assertEquals(OptionalLong.of(8), recipe.losses().get("more").term().ignoreIndex());
    assertTrue(recipe.losses().get("more").term().resizesTeacher());
    assertEquals(recipe, read(recipe.toYaml()));
  }

  @Test
  void pathsBecomeAbsolute() throws IOException {
    Recipe recipe = read(SMALLEST, "teacher={kind: torchscript, file: t.pt, taps: {logits: 0}}");
    assertEquals(
        new TorchscriptSettings(
            Path.of("t.pt").toAbsolutePath(),
            java.util.Map.of("logits", "0"),
            java.util.Map.of(),
            null,
            null),
        recipe.teacher());
    assertEquals(recipe, read(recipe.toYaml()));
  }

  @Test
  void aTeacherMayHaveACache() throws IOException {
    Recipe recipe = read(SMALLEST, "teacher={kind: bundled, cache: {folder: outputs}}");
    assertEquals(
        new TeacherCache(Path.of("outputs").toAbsolutePath(), 4), recipe.teacher().cache());
    assertEquals(recipe, read(recipe.toYaml()));
    assertNull(read(SMALLEST, "teacher={kind: bundled}").teacher().cache());
    RecipeException e =
        assertThrows(
            RecipeException.class,
            () ->
                read(SMALLEST, "teacher={kind: bundled, cache: {folder: outputs, gigabytes: 0}}"));
    assertTrue(e.getMessage().endsWith("gigabytes is 0.0, expected a number above 0"));
  }

  @Test
  void aStageIsWhatItSaysAndElseTheRecipe() throws IOException {
    Recipe recipe =
        read(
            SMALLEST
                + """
                teachers: {a: {kind: bundled}, b: {kind: file, file: b.safetensors}}
                rate_factors: {head.: 10}
                stages:
                  - {name: first, train: {steps: 100}}
                  - name: second
                    data: {batch: 4}
                    teacher: {kind: bundled}
                    losses:
                      supervised: {weight: 2}
                      kd: {loss: pixelwise, preset: kd, on: logits, weight: 1}
                  - {name: third}
                """,
            "stages.1.train.optimizer={kind: sgd, rate: 1, momentum: 0.5}",
            "stages.2=null");
    List<Recipe> trainings = recipe.trainings();
    assertEquals(List.of("first", "second"), trainings.stream().map(Recipe::name).toList());
    Recipe first = trainings.get(0);
    assertEquals(100, first.train().steps());
    assertEquals(new Adam(0.02), first.train().optimizer());
    assertEquals(recipe.teachers(), first.teachers());
    assertEquals(recipe.losses(), first.losses());
    Recipe second = trainings.get(1);
    assertEquals(new FashionScenesSettings(4, 0, 200, 1000, null), second.data());
    assertEquals(new BundledSettings(), second.teacher());
    assertTrue(second.teachers().isEmpty());
    assertEquals(2, second.losses().get("supervised").weight().weight());
    assertEquals(List.of("supervised", "kd"), List.copyOf(second.losses().keySet()));
    assertEquals("sgd", RecordIntrospector.kind(second.train().optimizer().getClass()));
    assertEquals(recipe, read(recipe.toYaml()));
  }

  private static final String PRUNING = "pruning: {kind: %s, target: 0.5, begin: 0, end: 2}";

  private static List<Object> prunings(Recipe recipe) {
    return recipe.trainings().stream()
        .<Object>map(training -> String.valueOf(training.train().pruning()))
        .toList();
  }

  /** Weights that one stage has pruned stay 0 in those after it, which do not prune again. */
  @Test
  void whatWasPrunedStaysSoInLaterStages() throws IOException {
    String weights = PRUNING.formatted("magnitude");
    String three = "stages: [{name: first}, {name: second, train: {steps: 5}}, {name: third}]\n";
    Recipe ofRecipe = read(SMALLEST + three, "train." + weights.replaceFirst(": ", "="));
    String magnitude = String.valueOf(new Pruning.Magnitude(0.5, 0, 2));
    String kept = String.valueOf(new Pruning.Kept());
    assertEquals(List.of(magnitude, kept, kept), prunings(ofRecipe));
    assertEquals(ofRecipe, read(ofRecipe.toYaml()));
    Recipe ofStage =
        read(SMALLEST + three.replace("steps: 5", "steps: 5, " + weights), "train.steps=9");
    assertEquals(List.of("null", magnitude, kept), prunings(ofStage));
    assertEquals(ofStage, read(ofStage.toYaml()));
  }

  /** Channels that one stage has removed are gone: later ones neither prune nor keep. */
  @Test
  void channelsArePrunedByOneStage() throws IOException {
    String channels = PRUNING.formatted("channels");
    String stages = "stages: [{name: first}, {name: second}, {name: third, train: {%s}}]\n";
    Recipe recipe =
        read(
            SMALLEST + stages.formatted("pruning: {target: 0.3}"),
            "train." + channels.replaceFirst(": ", "="));
    assertEquals(
        List.of(
            String.valueOf(new Pruning.Channels(0.5, 0, 2)),
            "null",
            String.valueOf(new Pruning.Channels(0.3, 0, 2))),
        prunings(recipe));
    assertEquals(recipe, read(recipe.toYaml()));
  }

  @Test
  void aStageHasTheRateFactorsOfItsOwnTerms() throws IOException {
    String ab = "{loss: activation_boundary, preset: released, on: features, weight: 1}";
    List<Recipe> trainings =
        read(SMALLEST.replace("train:", "  ab: " + ab + "\ntrain:")
                + "rate_factors: {part.ab.: 2, head.: 3}\n"
                + "stages: [{name: first}, {name: second, losses: {supervised: {}}}]\n")
            .trainings();
    assertEquals(Map.of("part.ab.", 2.0, "head.", 3.0), trainings.get(0).rateFactors());
    assertEquals(Map.of("head.", 3.0), trainings.get(1).rateFactors());
  }

  @Test
  void whatNoStageTakesIsRefused() throws IOException {
    String yaml = SMALLEST + "stages: [{name: a, train: {steps: 5}}]\n";
    assertEquals(9, read(yaml, "stages.0.train.steps=9").trainings().get(0).train().steps());
    assertEquals("other", read(yaml, "name=other").name());
    assertEquals(read(yaml), read(yaml, "train.steps=40"), "what it has already");
    assertEquals(
        "--set train.steps=9: has no effect, as each stage has its own: --set stages.0... changes"
            + " it",
        assertThrows(RecipeException.class, () -> read(yaml, "train.steps=9")).getMessage());
    String file =
        file("own.yaml", yaml.replace("name: a,", "name: a, losses: {supervised: {}},")).toString();
    RecipeException loss =
        assertThrows(
            RecipeException.class, () -> Recipes.load(file, List.of(), List.of("pixelwise:kd=1")));
    assertTrue(
        loss.getMessage().startsWith("--loss pixelwise:kd=1: has no effect"), loss.toString());
  }

  /** One sentence for each: the option, the path, what was given, what would do. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          train.steps                          | expected path=value, such as train.steps=400
          train.steps=x                        | train.steps is "x", expected a whole number
          train.steps=3.5                      | train.steps is 3.5, expected a whole number
          train.steps=0                        | train.steps: steps must be 1 or more but is 0
          train.stepz=3                        | train.stepz is given, expected one of accumulate, checkpoint_every, clip_norm, early_stop, ema, evaluate_every, keep_best, optimizer, precision, pruning, quantization, recompute_activations, schedule, steps; did you mean "steps"?
          train.early_stop.patience=0          | train.early_stop.patience: patience is 0, expected 1 or more evaluations
          losses.pairwise.eps=-1               | losses.pairwise.eps: pair-wise loss: eps is -1.0, expected a finite number greater than 0
          losses.pairwise.poling=1             | losses.pairwise.poling is given, expected one of compare, eps, eps_mode, ignore_index, loss, norm, on, optimizer, pairs, pooling, precision, preset, reduction, resize_teacher, weight; did you mean "pooling"?
          losses.pairwise.pooling.kind=max     | losses.pairwise.pooling.size is missing, expected one of fraction, kernel, nodes
          losses.pairwise.norm=detach          | losses.pairwise.norm is "detach", expected one of detached, differentiable; did you mean "detached"?
          losses.pairwise.preset=ciirkd        | losses.pairwise.preset: loss "pairwise" has no preset "ciirkd", it has: cirkd, dinov3_gram_anchoring, fakd, ftd_released, skd_cvpr19, skd_released; did you mean "cirkd"?
          losses.pairwise.loss=interclass      | losses.pairwise.loss: the loss "interclass" is called inter_class_similarity now
          losses.pairwise.loss=squared_error   | losses.pairwise.loss: the loss "squared_error" is called regression now
          losses.pairwise.on={featurs: x}      | losses.pairwise.on: PairwiseLoss has no role "featurs" of the student, it has: features; did you mean "features"?
          losses.pairwise.weight=much          | losses.pairwise.weight is "much", expected a number or a map with the kind constant, rising, falling, warmup
          losses.pairwise.weight=-1            | losses.pairwise.weight: weight is -1.0, expected a finite number of at least 0
          losses.pairwise.weight={kind: warmup, weight: 1, steps: 0} | losses.pairwise.weight.steps: warm-up of a weight: steps is 0, expected at least 1
          losses.pairwise.resize_teacher=maybe | losses.pairwise.resize_teacher is "maybe", expected true or false
          train.steps=                         | train.steps is missing, expected a whole number
          train.checkpoint_every=-1            | train.checkpoint_every: checkpointEvery is -1, expected 0 or more steps
          train.clip_norm=-1                   | train.clip_norm: clipNorm is -1.0, expected a finite norm, or 0 to clip none
          losses.pairwise.weight=.nan          | losses.pairwise.weight is .nan, expected a finite number
          losses.pairwise.preset=[cirkd]       | losses.pairwise.preset is [cirkd], expected a text
          losses.pairwise.on=[]                | losses.pairwise.on: role features is [], expected a tap or a list of them
          losses.pairwise.on={student: a, features: b} | losses.pairwise.on: names a network and a role side by side, expected networks alone or roles alone
          losses.total={loss: pairwise, preset: cirkd, weight: 1} | a term is called "total", as another column of the log is: call it otherwise
          teacher=bundled                      | teacher is "bundled", expected a map with the kind bundled, file, torchscript
          name="a\\nb"                         | a recipe is called "a\\nb", expected 1 to 64 letters, digits, _ and -, the first a letter or digit
          losses.new={loss: pairwise}          | losses.new.weight is missing, expected a number
          losses.new={loss: pairwise, weight: 1} | losses.new.preset is missing, expected one of cirkd, dinov3_gram_anchoring, fakd, ftd_released, skd_cvpr19, skd_released
          losses.supervised=5                  | losses.supervised is 5, expected a map of ignore_index, loss, on, optimizer, preset, resize_teacher, weight
          teacher.kind=fil                     | teacher.kind is "fil", expected one of bundled, file, torchscript; did you mean "file"?
          teacher={kind: file}                 | teacher.file is missing, expected a path
          train.optimizer.rate=-1              | train.optimizer.rate: learning rate must be greater than 0 and finite but is -1.0
          train.schedule={kind: polly}         | train.schedule.kind is "polly", expected one of constant, cosine, milestones, poly, step; did you mean "poly"?
          student.width=0                      | student.width: the width of a segmentation net must be 1 to 512 but is 0
          student.width.x=0                    | student.width is 6, which has no x
          data.batch=0                         | data.batch: batch is 0, expected 1 to 65536
          data.labelled=3                      | data.labelled: labelled is 3, expected 8 to 65536
          stages=[~]                           | stages.0 is empty, expected a value
          train.optimizer=null                 | train.optimizer is missing, expected a map with the kind adam, adamw, sgd
          losses.pairwze.weight=1              | losses.pairwze.loss is missing, expected a text; other terms are pairwise, pixelwise, supervised; did you mean "pairwise"?
          losses.pairwise.weight=[1            | is no YAML: while parsing a flow sequence, expected ',' or ']', but got <stream end>
          losses.pairwise={loss: cross_entropy, ignore_index: 1, preset: standard, weight: 1} | losses.pairwise.preset: standard has no effect, as every key of the loss is given beside it: remove it or them
          """)
  void aWrongOptionIsOneSentence(String set, String sentence) {
    RecipeException e =
        assertThrows(RecipeException.class, () -> Recipes.load("skd", List.of(set), List.of()));
    String place = e.place().startsWith("--set") ? "--set " + set : "recipe skd";
    assertEquals(place + ": " + sentence, e.getMessage());
  }

  /** The line of the file, where the file is wrong. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          width: 3   | width: three                | :2: student.width is "three", expected a whole number
          cross_entr | cros_entr                   | :4: losses.supervised.loss: there is no loss "cros_entropy", there are: LOSSES; did you mean "cross_entropy"?
          student:   | pupil:                      | :2: pupil is given, expected one of data, losses, metric, name, rate_factors, source, stages, student, summary, teacher, teachers, train
          metric:    | student:                    | :6: student is given twice, expected once
          rate: 0.02 | rate: 0                     | :5: train.optimizer.rate: learning rate must be greater than 0 and finite but is 0.0
          {kind: fashion_scenes} | &d {kind: fashion_scenes, test: *d} | :1: data.test is an alias, expected the value itself
          width: 3}  | width: 3                    | :3: is no YAML: while parsing a flow mapping, expected ',' or '}', but got :
          metric:    | teacher: {kind: bundled}#teachers: {x: {kind: bundled}}#metric: | :6: teacher: teacher and teachers are both given, expected one: a teacher, or several by name
          """)
  void aWrongFileIsALineAndOneSentence(String correct, String wrong, String sentence)
      throws IOException {
    Path file = file("wrong.yaml", SMALLEST.replace(correct, wrong.replace('#', '\n')));
    RecipeException e = assertThrows(RecipeException.class, () -> Recipes.load(file.toString()));
    String losses =
        Losses.all().stream().map(Losses.Entry::id).sorted().collect(Collectors.joining(", "));
    assertEquals(file + sentence.replace("LOSSES", losses), e.getMessage());
  }

  @Test
  void whatIsNoRecipeIsRefused() throws IOException {
    assertTrue(refused("skdd").endsWith("; did you mean \"skd\"?"), refused("skdd"));
    assertEquals(
        "recipe fashion_teacher: is called fashion-teacher now", refused("fashion_teacher"));
    assertEquals(
        "recipe ratings_teacher: is called ratings-teacher now", refused("ratings_teacher"));
    assertEquals("recipe interclass: is called inter_class_similarity now", refused("interclass"));
    assertTrue(refused(folder.toString()).contains("is no file"), refused(folder.toString()));
    String empty = file("empty.yaml", "").toString();
    assertEquals(
        empty + ": is empty, expected a map of data, student, losses and so on", refused(empty));
    Path binary = Files.write(folder.resolve("binary.yaml"), new byte[] {(byte) 0xff, 0});
    assertEquals(binary + ": is no text in UTF-8", refused(binary.toString()));
    String two = file("two.yaml", SMALLEST + "---\na: b\n").toString();
    assertEquals(two + ":8: a second document begins, expected one", refused(two));
  }

  private static String refused(String nameOrFile) {
    return assertThrows(RecipeException.class, () -> Recipes.load(nameOrFile)).getMessage();
  }

  @Test
  void whatIsNoLossToAddIsRefused() {
    assertEquals(
        "--loss pairwise:cirkd: expected ID=WEIGHT or ID:PRESET=WEIGHT, such as pairwise:cirkd=0.5",
        refusedLoss("pairwise:cirkd"));
    assertEquals(
        "--loss pixelwise=1: the recipe has a term pixelwise: --set losses.pixelwise.weight=..."
            + " changes it",
        refusedLoss("pixelwise=1"));
    assertTrue(refusedLoss(":cirkd=1").contains("expected ID=WEIGHT"), refusedLoss(":cirkd=1"));
    assertTrue(refusedLoss("pairwze=1").contains("there is no loss \"pairwze\""));
  }

  private static String refusedLoss(String loss) {
    return assertThrows(RecipeException.class, () -> Recipes.load("kd", List.of(), List.of(loss)))
        .getMessage();
  }
}
