package org.structkd.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.structkd.run.RunException;

/**
 * Two sides that an option tells, of an image or of steps in one. What they are for bounds them.
 *
 * @param height in pixels, 0 or more
 * @param width in pixels, 0 or more
 */
record ImageSides(int height, int width) {
  private static final Pattern SIDES = Pattern.compile("([0-9]{1,6})x([0-9]{1,6})");

  /**
   * {@return the sides}
   *
   * @param option whose value it is
   * @param text the value
   * @param expected what the refusal asks for, such as "HxW, such as 512x1024"
   */
  static ImageSides of(String option, String text, String expected) {
    Matcher sides = SIDES.matcher(text);
    if (!sides.matches()) {
      throw RunException.refused(option + " is " + text + ", expected " + expected);
    }
    return new ImageSides(Integer.parseInt(sides.group(1)), Integer.parseInt(sides.group(2)));
  }
}
