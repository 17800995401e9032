package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.recipe.Recipes;

/** What recipes lists, shows and checks. */
class RecipesCommandTest {
  @TempDir private Path temp;

  @Test
  void allAreListedWithTheirSentenceAndSource() {
    String out = Cli.run("recipes").out();
    for (String name : Recipes.names()) {
      assertTrue(out.contains(name + " "), out);
      assertTrue(out.contains(Recipes.load(name).summary()), out);
      assertTrue(out.contains(Recipes.load(name).source()), out);
    }
  }

  @Test
  void whatIsShownIsTheRecipeWithWhatWasSet() throws IOException {
    Cli shown = Cli.run("recipes", "show", "kd", "--set", "train.steps=7");
    assertEquals(0, shown.status(), shown.err());
    Path file = Files.writeString(temp.resolve("mine.yaml"), shown.out());
    assertEquals(shown.out(), Cli.run("recipes", "show", file).out());
    assertEquals(7, Recipes.load(file.toString()).train().steps());
  }

  @Test
  void aCheckRunsTheNetworksAndNamesWhatDoesNotFit() throws IOException {
    String kd = Cli.run("recipes", "show", "kd").out();
    Path good = Files.writeString(temp.resolve("good.yaml"), kd);
    Cli fine = Cli.run("recipes", "check", good);
    assertEquals(0, fine.status(), fine.err());
    assertTrue(fine.out().contains("makes sense"), fine.out());
    Path bad =
        Files.writeString(temp.resolve("bad.yaml"), kd.replace("labelled: 128", "labeled: 1"));
    Cli refused = Cli.run("recipes", "check", bad);
    assertEquals(2, refused.status(), refused.out());
    assertTrue(
        refused.err().contains(bad + ":") && refused.err().contains("labelled"), refused.err());
    Cli tap = Cli.run("recipes", "check", good, "--set", "losses.pixelwise.on=logit");
    assertEquals(2, tap.status(), tap.out());
    assertTrue(tap.err().contains("logits"), tap.err());
    assertTrue(
        tap.err().contains("--set losses.pixelwise.on=logit: term \"pixelwise\""), tap.err());
  }

  /** What only the networks and the data tell has a line, too; of stages that of the one. */
  @Test
  void whatTheTrialFindsHasItsLine() throws IOException {
    String stages =
        """
        data: {kind: fashion_scenes, batch: 4, validation: 2}
        student: {kind: segmentation_net, width: 2}
        teacher: {kind: bundled, inputs: {images: %s}}
        losses:
          supervised: {loss: cross_entropy, on: upsampled, weight: 1}
        train: {steps: 10, optimizer: {kind: adam, rate: 0.01}}
        metric: {kind: segmentation, on: %s}
        stages:
          - name: first
          - name: second
            losses:
              kd:
                loss: pixelwise
                preset: kd
                on: %s
                weight: 1
        """;
    for (String[] one :
        new String[][] {
          {"images", "upsampled", "logit", ":15: term \"kd\": student has no tap \"logit\""},
          {"images", "logits", "logits", ":7: segmentation metric: tap \"logits\""},
          {"sar", "upsampled", "logits", ":3: the batch has no input \"sar\", it has: images"}
        }) {
      Path file =
          Files.writeString(temp.resolve("stages.yaml"), stages.formatted(one[0], one[1], one[2]));
      Cli cli = Cli.run("recipes", "check", file);
      assertEquals(2, cli.status(), cli.out());
      assertTrue(cli.err().contains(file + one[3]), cli.err());
    }
  }
}
