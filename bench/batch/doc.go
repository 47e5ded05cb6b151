// Command batch measures the batch's query beside DuckDB, Polars and DataFusion:
// the same question of the same Parquet files, with the same number of threads, in
// turns, each run in a process of its own. No ratio is printed before all answers
// are the same.
//
// The question is the four plain aggregates of a tumbling view: per hour and key
// count, sum, min and max. The figures are those of the query, from the call to the
// whole answer in memory by columns: a process's start, the import of a library and
// what is done with the answer are in none. Memory is the peak of the whole process
// up to the answer, interpreter and libraries included.
package main
