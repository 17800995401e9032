package org.structkd.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Stored cases of pictures; {@code make_cases.py} beside them says whose numbers they are. */
public final class PictureCases {
  private static final Path FILE = Path.of("src/test/resources/super_resolution/cases.json");

  private PictureCases() {}

  /** Those of one kind, {@code quality} or {@code bicubic}. */
  public static List<JsonNode> of(String kind) throws IOException {
    List<JsonNode> cases = new ArrayList<>();
    new ObjectMapper().readTree(FILE.toFile()).required(kind).forEach(cases::add);
    return cases;
  }

  /** The numbers of a list. */
  public static double[] numbers(JsonNode of, String key) {
    double[] numbers = new double[of.required(key).size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = of.get(key).get(i).doubleValue();
    }
    return numbers;
  }
}
