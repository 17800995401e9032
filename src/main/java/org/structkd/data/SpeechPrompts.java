package org.structkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The announcements of a telephone system in five languages, under the same file names. Kept are
 * those that all languages have, without the silent ones, and of each its first two seconds.
 */
final class SpeechPrompts {
  private static final String FOLDER = "usr/share/asterisk/sounds/";

  /** Samples that are kept of a recording: half of them are shorter, 1.2 to 1.8 s. */
  private static final int MOST_SAMPLES = 2 * WavFile.RATE;

  /** Folder of recordings of nothing. */
  private static final String SILENCE = "silence/";

  /** Folder of each language and its speaker in the packages, by the language's code. */
  private static final Map<String, PackagedData.Item> LANGUAGES = new LinkedHashMap<>();

  static {
    language(
        "en",
        "en_US_f_Allison",
        "454040dfb0207d10d89c2724696544fe524b344388dd23a2de69f49c85edccb8");
    language(
        "es",
        "es_MX_f_Allison",
        "5b054f37980c60e6d1810fa9b08c1d7292576ca4b36e914d14b6acb4563de750");
    language(
        "fr", "fr_CA_f_June", "988f850763c21426b3ebadf153b2ca3964bfa22f16c057c868717d031a022a78");
    language(
        "it", "it_IT_m_Carlo", "9a6a9fb6eadcc4014ba092d737df476dcdc2bb283a2d76ae0b2ceffb31638a4b");
    language(
        "ru",
        "ru_RU_f_IvrvoiceRU",
        "742a1a0e096ccbedf434ca08c4a3aaf5705c8afc8662b421c16db983a1005e7b");
  }

  /** Sums of the folders in version 1.6.1-1, which is Debian 12's. */
  static final PackagedData DATA =
      new PackagedData(
          "speech",
          "485 announcements of the telephone system Asterisk in each of English, Spanish, French,"
              + " Italian and Russian, for the recognition of languages and digits.",
          "CC-BY-SA-3.0 for English, Spanish and French (Allison Smith, June Wallack), CC-BY-3.0 for"
              + " Italian and Russian (Carlo Flora, Maxim Topal), by Debian's copyright files.",
          "asterisk-core-sounds-en-wav asterisk-core-sounds-es-wav asterisk-core-sounds-fr-wav"
              + " asterisk-core-sounds-it-wav asterisk-core-sounds-ru-wav",
          "97.6 MB",
          List.copyOf(LANGUAGES.values()),
          SpeechPrompts::convert);

  private SpeechPrompts() {}

  private static void language(String code, String folder, String sum) {
    LANGUAGES.put(code, new PackagedData.Item(FOLDER + folder, sum));
  }

  private static void convert(Path root, Path into) throws IOException {
    Set<String> names = new TreeSet<>();
    for (PackagedData.Item item : LANGUAGES.values()) {
      Set<String> own = SpeechFolder.names(root.resolve(item.path()));
      if (names.isEmpty()) {
        names.addAll(own);
      }
      names.retainAll(own);
    }
    names.removeIf(name -> name.startsWith(SILENCE));
    for (Map.Entry<String, PackagedData.Item> language : LANGUAGES.entrySet()) {
      for (String name : names) {
        float[] samples = WavFile.read(root.resolve(language.getValue().path()).resolve(name));
        Path file = into.resolve(language.getKey()).resolve(name);
        Files.createDirectories(file.getParent());
        WavFile.write(file, Arrays.copyOf(samples, Math.min(samples.length, MOST_SAMPLES)));
      }
    }
  }
}
