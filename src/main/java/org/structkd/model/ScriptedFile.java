package org.structkd.model;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.data.DataFileException;

/**
 * A file that should be TorchScript. What PyTorch and others write beside it under the same endings
 * is recognised by its bytes, before LibTorch, which has one text for all of it, gets the file.
 */
final class ScriptedFile {
  /** What stands in sentences as the thing that was expected. */
  static final String EXPECTED = "a TorchScript file";

  private static final String EXPORT =
      ": in Python, save torch.jit.trace(network, images) with the weights loaded"
          + " (docs/teachers.md)";

  /** Enough for the first object of a pickle, behind the three small ones of the old format. */
  private static final int HEAD = 4096;

  /** Between two pickles of one file: STOP, then PROTO 2. */
  private static final String NEXT_PICKLE = ".\u0080\u0002";

  /** PROTO, and the number that torch.save wrote in front before PyTorch 1.6. */
  private static final String OLD_FORMAT =
      "\u0080\u0002\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019";

  /** The first global of a pickle of protocol 2 or 3, and of protocol 4 or 5. */
  private static final Pattern FIRST_CLASS =
      Pattern.compile(
          "^\u0080[\u0002-\u0005](?:\u0095.{8})?"
              + "(?:c([\\w.]+)\n(\\w+)\n|\u008c.([\\w.]+)\u0094\u008c.(\\w+)\u0094)",
          Pattern.DOTALL);

  private ScriptedFile() {}

  /**
   * Refuses a file that is surely no TorchScript.
   *
   * @throws DataFileException that says what it is and what to do
   */
  static void require(Path path) throws DataFileException {
    String found;
    try {
      found = Files.isRegularFile(path) ? otherKind(path) : missing(path);
    } catch (IOException e) {
      found = "a file that cannot be read (" + e.getMessage() + ")";
    }
    if (found != null) {
      throw new DataFileException(path.toString(), EXPECTED, found);
    }
  }

  /** Reads the module, wherever it was saved, onto a device, in evaluation mode. */
  static JitModule read(Path path, Device device) {
    JitModule module = torch.load(path.toString(), new DeviceOptional(device), true);
    module.eval();
    return module;
  }

  private static String missing(Path path) {
    return Files.exists(path) ? "no file" : "nothing of this name";
  }

  private static @Nullable String otherKind(Path path) throws IOException {
    String head = head(path);
    if (head.isEmpty()) {
      return "an empty file";
    }
    if (head.startsWith("PK")) {
      return otherArchive(path);
    }
    if (head.startsWith(OLD_FORMAT)) {
      return pickled(lastPickle(head)) + EXPORT;
    }
    if (head.startsWith("\u0080")) {
      return pickled(head) + EXPORT;
    }
    if (isSafetensors(head, Files.size(path))) {
      return "weights in the safetensors format, without the network" + EXPORT;
    }
    if (head.regionMatches(257, "ustar", 0, 5)) {
      return "a tar archive: unpack it";
    }
    String line = head.lines().findFirst().orElse("");
    return line.isBlank() || !line.matches("[\\x20-\\x7e\\t]*")
        ? "something else, which is no zip archive"
        : "a text that begins with \"" + line.substring(0, Math.min(40, line.length())) + "\"";
  }

  private static @Nullable String otherArchive(Path path) throws IOException {
    try (ZipFile zip = new ZipFile(path.toFile())) {
      if (zip.stream().anyMatch(entry -> entry.getName().endsWith("/constants.pkl"))) {
        return null;
      }
      ZipEntry pickle =
          zip.stream().filter(e -> e.getName().endsWith("/data.pkl")).findFirst().orElse(null);
      if (pickle != null) {
        try (InputStream in = zip.getInputStream(pickle)) {
          return pickled(latin(in)) + EXPORT;
        }
      }
      return zip.stream().anyMatch(entry -> entry.getName().endsWith("/archive_format"))
          ? "a program of torch.export, which TorchScript does not read" + EXPORT
          : "a zip archive without TorchScript";
    } catch (ZipException e) {
      return null; // LibTorch reads some archives that Java does not, and tells what is wrong
    }
  }

  /** What torch.save was given, by the first class that its pickle names. */
  private static String pickled(String pickle) {
    Matcher first = FIRST_CLASS.matcher(pickle);
    if (!first.find()) {
      return "a dictionary or another plain object that torch.save wrote, such as a checkpoint";
    }
    String module = first.group(1) != null ? first.group(1) : first.group(3);
    String name = first.group(2) != null ? first.group(2) : first.group(4);
    if (name.equals("OrderedDict")) {
      return "weights without the network (a state_dict)";
    }
    if (module.equals("torch._utils")) {
      return "a tensor that torch.save wrote";
    }
    return "a pickled " + module + "." + name + ", which only Python can read";
  }

  private static String lastPickle(String head) {
    int start = 0;
    for (int skipped = 0; skipped < 3; skipped++) { // a number, a version, a description
      start = head.indexOf(NEXT_PICKLE, start) + 1;
    }
    return head.substring(start);
  }

  /** Eight bytes of length, then that much JSON. */
  private static boolean isSafetensors(String head, long size) {
    if (head.length() < 9 || head.charAt(8) != '{') {
      return false;
    }
    byte[] length = head.substring(0, 8).getBytes(StandardCharsets.ISO_8859_1);
    long json = ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
    return json > 0 && json <= size - 8;
  }

  private static String head(Path path) throws IOException {
    try (InputStream in = Files.newInputStream(path)) {
      return latin(in);
    }
  }

  private static String latin(InputStream in) throws IOException {
    return new String(in.readNBytes(HEAD), StandardCharsets.ISO_8859_1);
  }
}
