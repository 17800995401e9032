package org.structkd.loss;

/** How eps guards the division by the length |f| of a node vector. */
public enum EpsMode {
  /** f / (|f| + eps). */
  ADD,
  /** f / max(|f|, eps), as {@code F.normalize} has it. */
  MAX
}
