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
  }
}
