package org.structkd.data;

/**
 * Ratings side by side.
 *
 * @param users index of each rating's user
 * @param items index of each rating's item
 * @param stars what the user gave
 */
record RatingTable(int[] users, int[] items, float[] stars) {}
