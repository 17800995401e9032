package org.structkd.distributed;

/** Another process of the group has failed, ended or not come, so that this one cannot go on. */
public final class RankFailedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /**
   * A failure of another rank.
   *
   * @param sentence that names it, as far as it is known
   */
  public RankFailedException(String sentence) {
    super(sentence);
  }

  /**
   * The same with what was seen of it here.
   *
   * @param sentence that names it, as far as it is known
   * @param cause what c10d said
   */
  public RankFailedException(String sentence, Throwable cause) {
    super(sentence, cause);
  }
}
