package org.structkd.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class ScheduleTest {
  @Test
  void decaysPolynomially() {
    Schedule poly = Schedule.poly();
    assertEquals(1, poly.at(0, 100));
    assertEquals(Math.pow(0.5, 0.9), poly.at(50, 100), 1e-15);
    assertEquals(Math.pow(0.01, 0.9), poly.at(99, 100), 1e-15);
  }

  @Test
  void warmsUpLinearlyWhateverFollows() {
    for (Schedule schedule :
        List.of(
            new Schedule.Constant(4),
            new Schedule.Poly(0, 4),
            new Schedule.Cosine(1, 4),
            new Schedule.Step(5, 1, 4),
            new Schedule.Milestones(List.of(5L), 1, 4))) {
      assertEquals(0.25, schedule.at(0, 10), schedule.toString());
      assertEquals(0.5, schedule.at(1, 10), schedule.toString());
      assertEquals(1, schedule.at(3, 10), schedule.toString());
      assertEquals(1, schedule.at(9, 10), schedule.toString());
    }
  }

  @Test
  void fallsAsACosine() {
    Schedule cosine = new Schedule.Cosine(0.2, 0);
    assertEquals(1, cosine.at(0, 8));
    assertEquals(0.6, cosine.at(4, 8), 1e-15);
    assertEquals(0.2 + 0.4 * (1 + Math.cos(Math.PI * 7 / 8)), cosine.at(7, 8), 1e-15);
  }

  @Test
  void fallsInSteps() {
    Schedule step = new Schedule.Step(3, 0.5, 0);
    assertEquals(1, step.at(2, 10));
    assertEquals(0.5, step.at(3, 10));
    assertEquals(0.125, step.at(9, 10));
    Schedule milestones = new Schedule.Milestones(List.of(3L, 4L), 0.5, 0);
    assertEquals(1, milestones.at(2, 10));
    assertEquals(0.5, milestones.at(3, 10));
    assertEquals(0.25, milestones.at(9, 10));
  }

  @Test
  void impossibleNumbersAreNamed() {
    refused("warm-up must be 0 steps or more but is -1", () -> new Schedule.Constant(-1));
    refused("power of the decay must be", () -> new Schedule.Poly(Double.NaN, 0));
    refused("least factor must be 0 to 1 but is 2.0", () -> new Schedule.Cosine(2, 0));
    refused("every must be 1 step or more but is 0", () -> new Schedule.Step(0, 0.5, 0));
    refused("factor must be 0 to 1 but is -1.0", () -> new Schedule.Step(1, -1, 0));
    refused(
        "milestones must rise from 1 on but are [3, 3]",
        () -> new Schedule.Milestones(List.of(3L, 3L), 0.5, 0));
  }

  private static void refused(String sentence, Executable making) {
    String said = assertThrows(IllegalArgumentException.class, making).getMessage();
    assertEquals(sentence, said.substring(0, Math.min(sentence.length(), said.length())));
  }
}
