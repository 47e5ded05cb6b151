//go:build !linux && !darwin

package doctor

import "errors"

var errNotAsked = errors.New("not known on this system")

func diskFree(string) (uint64, error) { return 0, errNotAsked }
func fileLimit() (uint64, error)      { return 0, errNotAsked }
