package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.CounterRandom;

/**
 * Spoken words as images, for classification: {@code images} f32 [B, 1, mels, frames], the
 * logarithms of energies in bands of frequency, low ones first, every 16 ms, with {@code labels}
 * i64 [B]. Energies are those of 256 samples in bands of the mel scale; those of a recording have
 * the mean 0 and the standard deviation 1, so that neither loudness nor a level of noise tells a
 * class.
 *
 * <ul>
 *   <li><b>Recordings:</b> WAV files of one channel, 8,000 Hz and 16 bits in a folder for each
 *       language, with the same names in each; a name that one lacks is left out. All are kept in
 *       memory as energies.
 *   <li><b>Splits:</b> of languages, by names: a fifth of them to test, a tenth to validate, drawn
 *       by the name itself. Of digits, by languages: the last folder but one to validate, the one
 *       before it to test, the others to train.
 *   <li><b>Pieces:</b> what is shorter than an image lies anywhere in it while training, at its
 *       beginning for evaluations, among zeros; of what is longer, a piece anywhere, or the
 *       beginning. A function of seed and position in the training.
 *   <li><b>Order:</b> each training recording comes once before any comes again.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 */
public final class SpeechDataset implements Dataset {
  private static final String OWNER = "speech";

  /** Key beside those of the orders, which count from 0. */
  private static final long PIECES = -1;

  /** Of ten names, two are to test, one is to validate. */
  private static final int PARTS = 10;

  private static final int TEST_PARTS = 2;
  private static final int DIGITS = 10;
  private static final int MAX_BATCH = 65_536;
  private static final int MAX_FRAMES = 1024;

  /** Below this, energies of a recording do not differ: it is silent. */
  private static final double LEAST_DEVIATION = 1e-3;

  /**
   * How recordings become images.
   *
   * @param task what is to be told
   * @param mels bands, the height of images, 8 or more; of so many that a band has no frequency of
   *     a frame, it is refused
   * @param frames the width of images in steps of 16 ms, 8 to 1024
   */
  public record Config(SpeechTask task, int mels, int frames) {
    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and both
     */
    public Config {
      Objects.requireNonNull(task, "task");
      requireRange("mels", mels, 8, 128);
      requireRange("frames", frames, 8, MAX_FRAMES);
      new MelSpectrogram(mels);
    }
  }

  private static void requireRange(String part, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "%s: %s is %d, expected %d to %d".formatted(OWNER, part, value, least, most));
    }
  }

  /** Energies [mels][frames of the recording] and class. */
  private record Recording(float[][] energies, int label) {}

  private final Config config;
  private final List<String> classes;
  private final Map<Split, List<Recording>> recordings;
  private final long seed;

  private SpeechDataset(
      Config config, List<String> classes, Map<Split, List<Recording>> recordings, long seed) {
    this.config = config;
    this.classes = classes;
    this.recordings = recordings;
    this.seed = seed;
  }

  /**
   * The announcements that {@code ./structkd data speech} fetches.
   *
   * @param config how they become images
   * @return the data set, of the seed 0
   * @throws DataFileException if they are not here; says which command fetches them
   * @throws IOException if a file cannot be read
   */
  public static SpeechDataset fetched(Config config) throws IOException {
    return fromDirectory(DataCache.ofUser().require(SpeechPrompts.DATA), config);
  }

  /**
   * The recordings of a directory, all of which are read.
   *
   * @param directory with a folder for each language
   * @param config how they become images
   * @return the data set, of the seed 0
   * @throws DataFileException if there are too few, or one is broken or of another form; says which
   * @throws IOException if a file cannot be read
   */
  public static SpeechDataset fromDirectory(Path directory, Config config) throws IOException {
    SpeechFolder folder = SpeechFolder.of(directory);
    boolean tellsDigits = config.task() == SpeechTask.DIGIT;
    List<String> names = tellsDigits ? digits(folder) : folder.names();
    MelSpectrogram mel = new MelSpectrogram(config.mels());
    Map<Split, List<Recording>> recordings = new EnumMap<>(Split.class);
    Arrays.stream(Split.values()).forEach(split -> recordings.put(split, new ArrayList<>()));
    for (int voice = 0; voice < folder.voices().size(); voice++) {
      for (int name = 0; name < names.size(); name++) {
        float[][] energies = mel.of(folder.read(folder.voices().get(voice), names.get(name)));
        standardise(energies);
        Split split =
            tellsDigits ? splitOf(voice, folder.voices().size()) : splitOf(names.get(name));
        recordings.get(split).add(new Recording(energies, tellsDigits ? name : voice));
      }
    }
    for (Split split : Split.values()) {
      if (recordings.get(split).isEmpty()) {
        throw new DataFileException(
            directory.toString(),
            tellsDigits
                ? "three or more folders: one to test, one to validate, the others to train"
                : "names for all splits, such as 20 or more in every folder",
            "%d folders with %d names in common, of which none is for %s"
                .formatted(folder.voices().size(), names.size(), split));
      }
    }
    List<String> classes =
        tellsDigits
            ? IntStream.range(0, DIGITS).mapToObj(Integer::toString).toList()
            : folder.voices();
    return new SpeechDataset(config, classes, recordings, 0);
  }

  private static List<String> digits(SpeechFolder folder) throws IOException {
    List<String> wanted =
        IntStream.range(0, DIGITS).mapToObj(digit -> "digits/" + digit + ".wav").toList();
    List<String> missing = new ArrayList<>(wanted);
    missing.removeAll(folder.names());
    if (!missing.isEmpty()) {
      throw new DataFileException(
          folder.folder().toString(),
          "a file for each of the 10 digits in every folder, digits/0.wav to digits/9.wav",
          "no " + String.join(", ", missing));
    }
    return wanted;
  }

  private static Split splitOf(String name) {
    int part = CounterRandom.below(PARTS, name.hashCode(), 0);
    return part < TEST_PARTS ? Split.TEST : part == TEST_PARTS ? Split.VALIDATION : Split.TRAIN;
  }

  private static Split splitOf(int voice, int voices) {
    return voice == voices - 2 ? Split.VALIDATION : voice == voices - 3 ? Split.TEST : Split.TRAIN;
  }

  /** To mean 0 and deviation 1; what is silent becomes 0. */
  private static void standardise(float[][] energies) {
    double sum = 0;
    double squares = 0;
    long count = 0;
    for (float[] band : energies) {
      for (float energy : band) {
        sum += energy;
        squares += (double) energy * energy;
        count++;
      }
    }
    double mean = sum / count;
    double deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
    double scale = deviation < LEAST_DEVIATION ? 0 : 1 / deviation;
    for (float[] band : energies) {
      for (int frame = 0; frame < band.length; frame++) {
        band[frame] = (float) ((band[frame] - mean) * scale);
      }
    }
  }

  @Override
  public SpeechDataset withSeed(long seed) {
    return new SpeechDataset(config, classes, recordings, seed);
  }

  @Override
  public BatchSource training(int size) {
    requireRange("batch", size, 1, MAX_BATCH);
    List<Recording> all = recordings.get(Split.TRAIN);
    return step -> {
      int[] chosen = Rounds.indices(all.size(), seed, step * size, size);
      long key = CounterRandom.bits(seed, PIECES);
      float[] pixels = new float[size * config.mels() * config.frames()];
      long[] labels = new long[size];
      for (int i = 0; i < size; i++) {
        Recording recording = all.get(chosen[i]);
        int room = Math.abs(recording.energies[0].length - config.frames());
        int moved = CounterRandom.below(room + 1, key, step * size + i);
        paint(recording, moved, pixels, i);
        labels[i] = recording.label;
      }
      return () -> batch(pixels, labels);
    };
  }

  /**
   * Puts a recording into an image.
   *
   * @param moved where it begins in the image, or the image in it, whichever is longer
   */
  private void paint(Recording recording, int moved, float[] pixels, int place) {
    int frames = config.frames();
    int length = recording.energies[0].length;
    int from = length > frames ? moved : 0;
    int to = length > frames ? 0 : moved;
    for (int band = 0; band < config.mels(); band++) {
      System.arraycopy(
          recording.energies[band],
          from,
          pixels,
          (place * config.mels() + band) * frames + to,
          Math.min(length, frames));
    }
  }

  private Batch batch(float[] pixels, long[] labels) {
    Tensor images = Tensor.create(pixels, labels.length, 1, config.mels(), config.frames());
    return new Batch(Map.of(Batch.IMAGES, images), Map.of(Batch.LABELS, Tensor.create(labels)));
  }

  @Override
  public int size(Split split) {
    if (split == Split.TRAIN) {
      throw new IllegalArgumentException(
          "split is train, expected validation or test: training images come by training()");
    }
    return recordings.get(split).size();
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    float[] pixels = new float[count * config.mels() * config.frames()];
    long[] labels = new long[count];
    for (int i = 0; i < count; i++) {
      Recording recording = recordings.get(split).get(first + i);
      paint(recording, 0, pixels, i);
      labels[i] = recording.label;
    }
    return batch(pixels, labels);
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.of(classes.size());
  }

  @Override
  public List<String> classNames() {
    return classes;
  }
}
