package org.structkd.data;

/** Ratings that users gave items; both are counted from 0. */
public sealed interface RatingData extends Dataset permits MadeRatings, RatedItems {
  /** {@return the number of users} */
  int users();

  /** {@return the number of items} */
  int items();
}
