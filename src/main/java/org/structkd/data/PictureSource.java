package org.structkd.data;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Where the pictures of {@link SuperResolutionDataset} come from. */
public enum PictureSource {
  /**
   * The garments of Fashion-MNIST that come with this library, grey, 28 x 28: 4,500 to train, 500
   * to validate and 1,000 to test.
   */
  GARMENTS(SourceImages.SIZE),

  /**
   * Twelve photographs in colour, which {@code ./structkd data photos} fetches: 7 to train, 1 to
   * validate, 4 to test.
   */
  PHOTOS(96),

  /**
   * A hundred faces, grey, 25 x 25, which {@code ./structkd data faces} fetches: 70 to train, 10 to
   * validate, 20 to test. Of each the upper left 24 x 24 pixels are used.
   */
  FACES(24);

  private final int tile;

  PictureSource(int tile) {
    this.tile = tile;
  }

  /** Height and width of the pieces that pictures are cut into for evaluations. */
  int tile() {
    return tile;
  }

  /** The pictures of each split. */
  Map<Split, List<Picture>> pictures() throws IOException {
    Map<Split, List<Picture>> pictures = new EnumMap<>(Split.class);
    for (Split split : Split.values()) {
      pictures.put(
          split,
          switch (this) {
            case GARMENTS -> garments(FashionScenes.bundled().sources(split));
            case PHOTOS -> Photos.of(DataCache.ofUser().require(Photos.DATA), split);
            case FACES -> Faces.of(DataCache.ofUser().require(Faces.DATA), split);
          });
    }
    return pictures;
  }

  private static List<Picture> garments(SourceImages sources) {
    int size = SourceImages.SIZE;
    List<Picture> pictures = new ArrayList<>(sources.count());
    for (int image = 0; image < sources.count(); image++) {
      byte[] levels = new byte[size * size];
      for (int at = 0; at < levels.length; at++) {
        levels[at] = (byte) sources.pixel(image, at / size, at % size);
      }
      pictures.add(new Picture(1, size, size, levels));
    }
    return pictures;
  }
}
