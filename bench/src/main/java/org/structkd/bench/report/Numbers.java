package org.structkd.bench.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Numbers as a reader of a table wants them: three digits, no exponent; nothing for NaN. */
final class Numbers {
  private static final MathContext THREE_DIGITS = new MathContext(3, RoundingMode.HALF_EVEN);

  private Numbers() {}

  static String text(double value) {
    if (Double.isNaN(value) || value == 0) {
      return Double.isNaN(value) ? "" : "0";
    }
    BigDecimal rounded = new BigDecimal(value).round(THREE_DIGITS);
    int exponent = rounded.precision() - rounded.scale() - 1;
    int decimals = Math.max(0, 2 - exponent);
    return rounded.setScale(decimals, RoundingMode.HALF_EVEN).toPlainString();
  }

  static String ratio(double value) {
    return Double.isNaN(value) ? "" : text(value) + "x";
  }

  static String error(double value) {
    return Double.isNaN(value) ? "" : String.format(Locale.ROOT, "%.1e", value);
  }
}
