package com.example.app;

import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.StructkdException;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.Projector;
import org.structkd.recipe.Recipes;

/** A user's program: it computes a loss twice, since the second try must end as the first. */
public final class Caller implements Supplier<String> {
  public static void main(String[] args) {
    for (int call = 0; call < 2; call++) {
      System.out.println(new Caller().get());
    }
  }

  /** {@return the loss and a recipe, or the sentence that says why there is none} */
  @Override
  public String get() {
    try {
      Projector projector = new Projector(3, 2, 1); // loads native code, or says why it cannot
      Tensor map = projector.forward(torch.ones(1, 3, 4, 4));
      Tensor loss = PairwiseLoss.skdCvpr19().forward(map, map);
      return "loss " + loss.item_double() + " of " + Recipes.load("skd").name();
    } catch (StructkdException e) {
      return e.status() + ": " + e.getMessage();
    }
  }
}
