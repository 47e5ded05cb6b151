// Package torture holds tests of `parallax torture` as a user runs it: real
// processes, broken for real, against the embedded broker. That the checker sees
// what is wrong is tested beside it, in cmd/parallax/torture.
package torture
