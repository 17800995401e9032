package org.structkd.run;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.font.FontRenderContext;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.structkd.metric.Confusion;

/** Which classes networks take for which: as numbers for programs, and as a picture for people. */
public final class ConfusionTable {
  /** Least pixels above and to the left of the cells, where the names of classes are. */
  private static final int MARGIN = 110;

  /** Pixels of a cell that holds a number, and of one that does not. */
  private static final int CELL = 36;

  private static final int SMALL_CELL = 12;
  private static final int GAP = 8;

  /** Up to so many classes the cells hold numbers. */
  private static final int NUMBERED = 20;

  private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 11);
  private static final FontRenderContext UNSCALED = new FontRenderContext(null, true, true);
  private static final Color NONE = new Color(0xf2f2f2);
  private static final Color ALL = new Color(0x0072b2);

  private final Map<String, Confusion> confusions = new LinkedHashMap<>();

  /**
   * Adds a network.
   *
   * @param name of it
   * @param confusion what it took for what, of the same classes as the others
   */
  public void add(String name, Confusion confusion) {
    confusions.put(name, confusion);
  }

  /** {@return whether there is none} */
  public boolean isEmpty() {
    return confusions.isEmpty();
  }

  /**
   * {@return counts as CSV: {@code network,truth,CLASS...}, a row for each network and true class,
   * a column for each class that was answered}
   */
  public String csv() {
    StringBuilder csv = new StringBuilder("network,truth");
    List<String> classes =
        confusions.values().stream().findFirst().map(Confusion::classes).orElse(List.of());
    classes.forEach(name -> csv.append(',').append(cell(name)));
    csv.append('\n');
    confusions.forEach(
        (network, confusion) -> {
          long[][] counts = confusion.counts();
          for (int label = 0; label < counts.length; label++) {
            csv.append(cell(network)).append(',').append(cell(classes.get(label)));
            for (long count : counts[label]) {
              csv.append(',').append(count);
            }
            csv.append('\n');
          }
        });
    return csv.toString();
  }

  /** A text as RFC 4180 has it. */
  private static String cell(String text) {
    return text.matches("(?s).*[,\"\r\n].*") ? '"' + text.replace("\"", "\"\"") + '"' : text;
  }

  /**
   * {@return a matrix of each network, side by side: rows are true classes, columns those that were
   * answered; a cell is the darker the larger its share of the row}
   */
  public BufferedImage draw() {
    List<String> classes = confusions.values().iterator().next().classes();
    int cell = classes.size() <= NUMBERED ? CELL : SMALL_CELL;
    int margin =
        4 * GAP + classes.stream().mapToInt(ConfusionTable::textWidth).reduce(MARGIN, Math::max);
    int height = margin + classes.size() * cell + GAP;
    int width =
        confusions.keySet().stream()
            .mapToInt(name -> 2 * GAP + textWidth(name))
            .reduce(height, Math::max);
    BufferedImage image =
        new BufferedImage(confusions.size() * width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D paper = image.createGraphics();
    paper.setColor(Color.WHITE);
    paper.fillRect(0, 0, image.getWidth(), height);
    paper.dispose();
    int left = 0;
    for (Map.Entry<String, Confusion> network : confusions.entrySet()) {
      draw(
          image.getSubimage(left, 0, width, height),
          network.getKey(),
          network.getValue(),
          margin,
          cell);
      left += width;
    }
    return image;
  }

  private static void draw(
      BufferedImage image, String network, Confusion confusion, int margin, int cell) {
    Graphics2D graphics = image.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    graphics.setFont(FONT);
    graphics.setColor(Color.BLACK);
    graphics.drawString(network, GAP, 2 * GAP);
    graphics.drawString("true / answered", GAP, margin - GAP);
    long[][] counts = confusion.counts();
    for (int label = 0; label < counts.length; label++) {
      int top = margin + label * cell;
      String name = confusion.classes().get(label);
      graphics.setColor(Color.BLACK);
      graphics.drawString(name, margin - GAP - textWidth(name), top + cell / 2 + 4);
      drawUpwards(graphics, name, top + cell / 2 + 4, margin - GAP);
      long all = Arrays.stream(counts[label]).sum();
      for (int answer = 0; answer < counts.length; answer++) {
        double share = all == 0 ? 0 : (double) counts[label][answer] / all;
        int left = margin + answer * cell;
        fill(image, mixed(share), left, top, cell - 1);
        if (cell == CELL && share > 0) {
          graphics.setColor(share < 0.5 ? Color.BLACK : Color.WHITE);
          graphics.drawString("%.2f".formatted(share), left + 6, top + cell / 2 + 4);
        }
      }
    }
    graphics.dispose();
  }

  /** Not by Graphics2D, which takes a native call for each of tens of thousands of cells. */
  private static void fill(BufferedImage image, Color colour, int left, int top, int size) {
    int[] row = new int[size];
    Arrays.fill(row, colour.getRGB());
    image.setRGB(left, top, size, size, row, 0, 0); // all rows are this one
  }

  private static int textWidth(String text) {
    return (int) Math.ceil(FONT.getStringBounds(text, UNSCALED).getWidth());
  }

  /** The name of a column, which ends where the column begins. */
  private static void drawUpwards(Graphics2D graphics, String name, int left, int bottom) {
    AffineTransform before = graphics.getTransform();
    graphics.translate(left, bottom);
    graphics.rotate(-Math.PI / 2);
    graphics.drawString(name, 0, 0);
    graphics.setTransform(before);
  }

  /** From nearly white to blue. */
  private static Color mixed(double share) {
    return new Color(
        (int) Math.round(NONE.getRed() + share * (ALL.getRed() - NONE.getRed())),
        (int) Math.round(NONE.getGreen() + share * (ALL.getGreen() - NONE.getGreen())),
        (int) Math.round(NONE.getBlue() + share * (ALL.getBlue() - NONE.getBlue())));
  }
}
