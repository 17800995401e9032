/** What all parts of structkd share: the exception and its status. */
@NullMarked
package org.structkd;

import org.jspecify.annotations.NullMarked;
