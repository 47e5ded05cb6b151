// Package demo holds the tests of the built program: parallax as a real
// process, from its command line to its exit code and the files it leaves.
//
// Each test first proves its own assumption (that the kill came in the middle,
// that the foreign events were late), then the result. Folders of runs lie in
// the temporary folder; those of a failed test stay, and the test names them.
package demo
