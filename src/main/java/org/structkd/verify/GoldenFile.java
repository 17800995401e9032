package org.structkd.verify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads a file of golden numbers. Its schema is described beside src/test/resources/golden. */
public final class GoldenFile {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private GoldenFile() {}

  /**
   * All cases, in the order of the file.
   *
   * @throws BadGoldenFileException if the file cannot be read, is no JSON, or a case has no name
   */
  public static List<GoldenCase> read(Path file) {
    GoldenValue root = new GoldenValue(file.toString(), "", parse(file));
    if (!root.isObject()) {
      throw root.bad("the file holds " + root.shortened() + ", expected an object with key cases");
    }
    List<GoldenCase> cases = new ArrayList<>();
    for (GoldenValue value : root.get("cases").list()) {
      cases.add(GoldenCase.of(new GoldenValue(file + ": case " + nameOf(value), "", value.json())));
    }
    return cases;
  }

  /** A name for sentences about a case that may not have one. */
  private static String nameOf(GoldenValue json) {
    return json.has("name") && json.get("name").isText() ? json.get("name").text() : json.key();
  }

  private static JsonNode parse(Path file) {
    if (Files.isDirectory(file)) {
      throw new BadGoldenFileException(file + ": is a folder, expected a file of golden numbers");
    }
    try {
      return JSON.readTree(Files.readString(file));
    } catch (NoSuchFileException e) {
      throw new BadGoldenFileException(file + ": there is no such file");
    } catch (CharacterCodingException e) {
      throw new BadGoldenFileException(file + ": is not JSON: it is not UTF-8 text");
    } catch (JsonProcessingException e) {
      throw new BadGoldenFileException(
          "%s: is not JSON: line %d: %s"
              .formatted(
                  file,
                  e.getLocation().getLineNr(),
                  e.getOriginalMessage().lines().findFirst().orElse("")));
    } catch (IOException e) {
      throw new BadGoldenFileException(file + ": cannot be read: " + e.getMessage());
    }
  }
}
