package org.structkd.model;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.structkd.data.DataFileException;

/**
 * Looks at a file before LibTorch does: PyTorch writes many kinds of files that end in .pt, and
 * only one of them has a network that runs without Python.
 */
final class ScriptFileCheck {
  static final String EXPECTED = "a TorchScript file";

  private static final String EXPORT =
      ": in Python, export the network by torch.jit.trace(model.eval(), images).save(...)"
          + " (docs/teachers.md)";

  /** What a class or function looks like in a pickle of protocol 2, torch.save's default. */
  private static final Pattern GLOBAL = Pattern.compile("c([A-Za-z_][\\w.]*)\n([A-Za-z_]\\w*)\n");

  /** Modules whose objects make up weights, and no network. */
  private static final Pattern WEIGHTS =
      Pattern.compile("torch|torch\\._utils|torch\\.serialization|collections|numpy.*|_codecs");

  /** Enough of a pickle for its first names; those of the networks in use lie within 2 KB. */
  private static final int PICKLE_BYTES = 1 << 16;

  private ScriptFileCheck() {}

  /**
   * Passes what may be TorchScript.
   *
   * @throws DataFileException if it is something else, saying what and what to do
   */
  static void requireScript(Path path) throws DataFileException {
    if (!Files.isRegularFile(path)) {
      throw refused(path, Files.exists(path) ? "no file" : "nothing of this name");
    }
    try {
      byte[] head = head(path);
      if (head.length == 0) {
        throw refused(path, "an empty file");
      }
      if (head[0] == 'P' && head.length > 1 && head[1] == 'K') {
        checkArchive(path);
      } else {
        throw refused(path, withoutArchive(head, Files.size(path)));
      }
    } catch (DataFileException e) {
      throw e;
    } catch (IOException e) {
      throw refused(path, "what cannot be read: " + e.getMessage());
    }
  }

  private static byte[] head(Path path) throws IOException {
    try (InputStream in = Files.newInputStream(path)) {
      return in.readNBytes(16);
    }
  }

  private static String withoutArchive(byte[] head, long size) {
    if ((head[0] & 0xff) == 0x80) { // opcode PROTO
      return "a pickle, which torch.save wrote before PyTorch 1.6: it runs only in Python" + EXPORT;
    }
    if (head.length > 8 && head[8] == '{') {
      long header = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getLong();
      if (header > 0 && header < size) {
        return "safetensors, weights without a network" + EXPORT;
      }
    }
    return "no zip archive, and so no file of PyTorch 1.6 or newer";
  }

  private static void checkArchive(Path path) throws IOException {
    try (ZipFile zip = new ZipFile(path.toFile())) {
      List<String> names = zip.stream().map(ZipEntry::getName).toList();
      if (names.stream().anyMatch(name -> name.endsWith("/constants.pkl"))) {
        return;
      }
      if (names.stream().anyMatch(name -> name.endsWith("/archive_format"))) {
        throw refused(path, "a program of torch.export, which LibTorch cannot run" + EXPORT);
      }
      for (String name : names) {
        if (name.endsWith("/data.pkl")) {
          throw refused(path, pickled(zip, name) + EXPORT);
        }
      }
      throw refused(path, "a zip archive without a network, its files are " + names);
    } catch (ZipException e) {
      throw refused(path, "a damaged or cut-off zip archive (" + e.getMessage() + ")");
    }
  }

  private static String pickled(ZipFile zip, String entry) throws IOException {
    String pickle;
    try (InputStream in = zip.getInputStream(zip.getEntry(entry))) {
      pickle = new String(in.readNBytes(PICKLE_BYTES), StandardCharsets.ISO_8859_1);
    }
    Matcher global = GLOBAL.matcher(pickle);
    // A pickle of a network begins with the network's class.
    if (global.find() && !WEIGHTS.matcher(global.group(1)).matches()) {
      return "a pickle of the Python class "
          + global.group(1)
          + "."
          + global.group(2)
          + " by torch.save, which runs only in Python";
    }
    return "weights without a network (a state_dict or checkpoint of torch.save), to be loaded by"
        + " model.load_state_dict";
  }

  static DataFileException refused(Path path, String found) {
    return new DataFileException(path.toString(), EXPECTED, found);
  }
}
