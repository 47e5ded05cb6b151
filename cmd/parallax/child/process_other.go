//go:build !linux

package child

import "syscall"

// attributes of a child. It has a process group of its own, so that Ctrl-C
// reaches only this process, which then stops the others in order.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
