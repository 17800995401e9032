package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import java.lang.reflect.RecordComponent;
import java.util.Collections;
import java.util.List;
import org.structkd.internal.Settings;
import org.structkd.testing.LossUnderTest;

/**
 * Settings that no loss can have are refused as the record is made, by a sentence that names them.
 */
final class RefusedSettings {
  private RefusedSettings() {}

  static void check(LossUnderTest loss) {
    Record settings = (Record) loss.loss();
    for (RecordComponent component : settings.getClass().getRecordComponents()) {
      String name = component.getName();
      for (Object bad : impossible(component.getType())) {
        String said = refusal(() -> Settings.with(settings, name, bad));
        RefusedInputs.requireName(loss, said);
        assertTrue(said.contains(name + " is " + bad), said);
      }
    }
  }

  private static List<Object> impossible(Class<?> type) {
    if (type == double.class) {
      return List.of(-1.0, Double.NaN, Double.POSITIVE_INFINITY);
    }
    return type.isPrimitive() ? List.of() : Collections.singletonList(null);
  }
}
