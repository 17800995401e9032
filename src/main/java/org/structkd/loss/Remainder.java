package org.structkd.loss;

/** What the columns behind the last full group count. */
public enum Remainder {
  /** Added to the mean over full groups, as published. */
  ADDED,
  /** One more group of the mean. */
  AVERAGED,
  /** Nothing. */
  DROPPED
}
