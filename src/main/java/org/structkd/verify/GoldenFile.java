package org.structkd.verify;

import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads a file of golden numbers. Its schema is described beside src/test/resources/golden. */
public final class GoldenFile {
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

  private static JsonElement parse(Path file) {
    if (Files.isDirectory(file)) {
      throw new BadGoldenFileException(file + ": is a folder, expected a file of golden numbers");
    }
    try (Reader text = Files.newBufferedReader(file)) {
      JsonReader reader = new JsonReader(text);
      reader.setStrictness(Strictness.STRICT);
      JsonElement root = JsonParser.parseReader(reader);
      if (reader.peek() != JsonToken.END_DOCUMENT) {
        throw new JsonParseException("there is text behind the end");
      }
      return root;
    } catch (NoSuchFileException e) {
      throw new BadGoldenFileException(file + ": there is no such file");
    } catch (CharacterCodingException e) {
      throw new BadGoldenFileException(file + ": is not JSON: it is not UTF-8 text");
    } catch (JsonParseException | MalformedJsonException e) {
      throw new BadGoldenFileException(file + ": is not JSON: " + reason(e));
    } catch (IOException e) {
      throw new BadGoldenFileException(file + ": cannot be read: " + reason(e));
    }
  }

  /**
   * Gson explains itself in the innermost cause; its first line is about the file, but for advice
   * to whoever programs with Gson.
   */
  private static String reason(Throwable error) {
    Throwable innermost = error;
    while (innermost.getCause() != null) {
      innermost = innermost.getCause();
    }
    String message = innermost.getMessage();
    return message == null
        ? innermost.getClass().getSimpleName()
        : message
            .lines()
            .findFirst()
            .orElse("")
            .replaceFirst("^Use JsonReader\\.setStrictness.* to accept malformed", "malformed");
  }
}
