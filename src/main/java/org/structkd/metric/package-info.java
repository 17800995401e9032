/** How networks are judged: metrics, scores and evaluations over a data set's split. */
@NullMarked
package org.structkd.metric;

import org.jspecify.annotations.NullMarked;
