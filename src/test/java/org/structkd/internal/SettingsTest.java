package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.structkd.compress.Pruning;
import org.structkd.compress.Quantization;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.loss.Pooling;
import org.structkd.loss.Sampling;
import org.structkd.optim.Schedule;
import org.structkd.optim.Sgd;
import org.structkd.train.EarlyStop;
import org.structkd.train.TrainingConfig;

/** Copies of settings that differ in one component. */
class SettingsTest {
  private static final List<Record> SETTINGS =
      List.of(
          GlobalStructuralLoss.standard(),
          InterClassSimilarityLoss.paper(),
          PairwiseLoss.skdReleased(),
          PixelwiseLoss.kd(),
          Sampling.standard(),
          TrainingConfig.of(10, 0.1).withEvaluateEvery(5));

  /** The name of a component stands in its {@code with} method as a text. */
  @Test
  void eachWithMethodChangesTheComponentThatItNames() throws ReflectiveOperationException {
    int methods = 0;
    for (Record settings : SETTINGS) {
      for (RecordComponent component : settings.getClass().getRecordComponents()) {
        String name = component.getName();
        String with = "with" + Character.toUpperCase(name.charAt(0)) + name.substring(1);
        Object other = other(component.getType(), Settings.value(settings, component));
        for (Method method : settings.getClass().getMethods()) {
          if (method.getName().equals(with) && method.getParameterCount() == 1) {
            assertEquals(
                Settings.with(settings, name, other), method.invoke(settings, other), with);
            methods++;
          }
        }
      }
    }
    assertTrue(methods > 30, "found " + methods);
  }

  private static Object other(Class<?> type, Object value) {
    List<Object> known = new ArrayList<>();
    if (type.isEnum()) {
      known.addAll(List.of(type.getEnumConstants()));
    }
    known.addAll(
        List.of(
            7,
            7L,
            0.7,
            true,
            false,
            Pooling.none(),
            Sampling.all(),
            new Schedule.Constant(0),
            new Sgd(1, 0),
            new Pruning.Magnitude(0.5, 0, 10),
            new Quantization.Int8(),
            new EarlyStop(3)));
    return known.stream()
        .filter(one -> fits(type, one) && !one.equals(value))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no other " + type));
  }

  private static boolean fits(Class<?> type, Object value) {
    return type.isInstance(value)
        || type == int.class && value instanceof Integer
        || type == long.class && value instanceof Long
        || type == double.class && value instanceof Double
        || type == boolean.class && value instanceof Boolean;
  }

  @Test
  void aChangedRecordChecksItself() {
    for (double bad : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused(
          "pixel-wise loss: temperature is " + bad + ", expected a finite number greater than 0",
          () -> Settings.with(PixelwiseLoss.kd(), "temperature", bad));
    }
    refused(
        PixelwiseLoss.class + " has no component warmth",
        () -> Settings.with(PixelwiseLoss.kd(), "warmth", 1.0));
  }
}
