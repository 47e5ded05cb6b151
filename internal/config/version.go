package config

import "runtime/debug"

// stamp is set when an image is built: -ldflags "-X parallax.example/internal/config.stamp=…".
var stamp string

// Version says which sources the program was built from: what was stamped, or
// what the Go command knew; "(devel)" if neither.
func Version() string {
	if stamp != "" {
		return stamp
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
