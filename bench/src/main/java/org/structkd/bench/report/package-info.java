/** From the CSV files of bench/results to docs/benchmarks.md and its charts. */
package org.structkd.bench.report;
