package org.structkd.data;

/** What {@link Landsat} knows of a pixel, in the order of its input {@code bands}. */
public enum LandsatBand {
  /** Band 3 of ETM+, 0.63 to 0.69 µm. */
  RED(2),
  /** Band 2, 0.52 to 0.60 µm. */
  GREEN(1),
  /** Band 1, 0.45 to 0.52 µm. */
  BLUE(0),
  /** Band 4, near infrared, 0.77 to 0.90 µm. */
  NIR(3),
  /** Band 5, short-wave infrared, 1.55 to 1.75 µm. */
  SWIR1(4),
  /** Band 7, short-wave infrared, 2.09 to 2.35 µm. */
  SWIR2(5),
  /** Height above the sea, which no camera sees. */
  ELEVATION(-1);

  /** Its place in the file of the scene, from 0; the elevation is in a file of its own. */
  final int place;

  LandsatBand(int place) {
    this.place = place;
  }
}
