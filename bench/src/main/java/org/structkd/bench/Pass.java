package org.structkd.bench;

/** How much of a training step a cell measures; the name is the mode in the CSV. */
enum Pass {
  /** The value alone, nothing recorded for a gradient. */
  FORWARD("forward"),
  /** Value and gradient. */
  FULL("full");

  final String id;

  Pass(String id) {
    this.id = id;
  }

  static Pass of(String id) {
    for (Pass pass : values()) {
      if (pass.id.equals(id)) {
        return pass;
      }
    }
    throw new IllegalArgumentException("mode is " + id + ", expected forward or full");
  }
}
